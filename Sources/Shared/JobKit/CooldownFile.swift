import Core
import Glibc

/// Kept locks of devices (down, failing) in a file of fixed records, so that a successor on a node without Redis still knows them.
///
/// One writer, the child that holds the job table's lock. A record is one write with a check over itself: torn or foreign bytes are no
/// record. The file is read and written, not mapped: whoever cuts it short takes records away, and not the process (SIGBUS).
public final class CooldownFile: CooldownStore {
  // A record: id, until (boottime, 0 = empty), failures, check (0 = of a version that had none); 8 bytes each.
  private static let recordSize = 32
  private static let recordLimit = 1 << 20
  /// No hold is longer: the longest period that can be set is a year, and nobody waits for that.
  private static let longestHold = Duration.seconds(7 * 86400)
  private static let mostFailures = 1_000_000

  private let fd: Int32
  private var records = 0
  private var places: [Int64: Int] = [:]
  private var empty: [Int] = []
  /// What is known, also when there is no space for a record.
  public private(set) var cooldowns: [Int64: Cooldown] = [:]
  /// Records that were no records.
  public private(set) var garbage = 0

  /// Opens the file and reads what it holds. With `fresh` (the job table was of another boot) everything in it is dropped.
  public init(path: String, fresh: Bool, now: MonotonicTime) throws(SystemError) {
    let fd = Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | (fresh ? O_TRUNC : 0), 0o600)
    guard fd >= 0 else { throw SystemError("open \(path)") }
    var status = stat()
    guard fstat(fd, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      close(fd)
      throw SystemError("open \(path) as a file", number: EINVAL)
    }
    self.fd = fd
    records = min(Int(status.st_size) / Self.recordSize, Self.recordLimit)
    take(Self.read(fd, records), at: now)
  }

  /// The name still leads to this file.
  public func isAt(_ path: String) -> Bool { FileIdentity.of(path: path) == FileIdentity.of(descriptor: fd) }

  deinit { close(fd) }

  public func set(_ id: Int64, _ cooldown: Cooldown) {
    cooldowns[id] = cooldown
    guard let record = places[id] ?? claim() else { return }
    places[id] = record
    let words = [UInt64(bitPattern: id), UInt64(bitPattern: cooldown.until.nanoseconds), UInt64(clamping: cooldown.failures)]
    write(record, words + [Self.check(words)])
  }

  public func clear(_ id: Int64) {
    cooldowns[id] = nil
    guard let record = places.removeValue(forKey: id) else { return }
    write(record, [0, 0, 0, 0])
    empty.append(record)
  }

  private func take(_ words: [UInt64], at now: MonotonicTime) {
    for record in 0..<records {
      let (id, until, failures) = (Int64(bitPattern: words[record * 4]), words[record * 4 + 1], words[record * 4 + 2])
      let check = words[record * 4 + 3]
      let end = MonotonicTime(nanoseconds: Int64(bitPattern: until))
      let isSound =
        (check == 0 || check == Self.check([words[record * 4], until, failures])) && id >= 0 && failures <= UInt64(Self.mostFailures)
        && end.nanoseconds >= 0 && end <= now + Self.longestHold
      if until != 0 && !isSound { garbage += 1 }
      // Failures are remembered for a while after the hold.
      guard until != 0, isSound, end + Self.memory > now, places[id] == nil else {
        empty.append(record)
        continue
      }
      places[id] = record
      cooldowns[id] = Cooldown(until: end, failures: Int(failures))
    }
  }

  private static func read(_ fd: Int32, _ records: Int) -> [UInt64] {
    var words = [UInt64](repeating: 0, count: records * 4)
    words.withUnsafeMutableBytes { bytes in
      var filled = 0
      while filled < bytes.count {
        let count = pread(fd, bytes.baseAddress.map { $0 + filled }, bytes.count - filled, off_t(filled))
        if count < 0 && errno == EINTR { continue }
        guard count > 0 else { return }
        filled += count
      }
    }
    return words
  }

  /// Never 0.
  private static func check(_ words: [UInt64]) -> UInt64 {
    words.reduce(0x434F_4F4C_444F_574E) { sum, word in
      let product = (sum ^ word) &* 0x9E37_79B9_7F4A_7C15
      return product ^ product >> 29
    } | 1
  }

  /// No space costs the memory of this device over a restart, nothing else.
  private func write(_ record: Int, _ words: [UInt64]) {
    words.withUnsafeBytes { _ = pwrite(fd, $0.baseAddress, $0.count, off_t(record * Self.recordSize)) }
  }

  private func claim() -> Int? {
    if let record = empty.popLast() { return record }
    guard records < Self.recordLimit else { return nil }
    records += 1
    return records - 1
  }
}
