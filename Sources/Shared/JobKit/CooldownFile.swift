import CLinuxShims
import Core
import Glibc

/// Kept locks of devices (down, failing) in a file of fixed records, so that a successor on a node without Redis still knows them.
///
/// One writer, the child that holds the job table's lock. A record is written so that a process killed in the middle leaves it empty.
public final class CooldownFile {
  public struct Cooldown: Equatable, Sendable {
    public var until: MonotonicTime
    /// Failures in a row, for the doubling of the next hold; 0 = the device is down.
    public var failures: Int
  }

  // A record: id, until (boottime, 0 = empty), failures, reserved; 8 bytes each.
  private static let recordSize = 32
  /// Records of the first allocation; it doubles when they are all in use.
  private static let firstRecords = 2048
  private static let recordLimit = 1 << 20

  private let fd: Int32
  private var base: UnsafeMutablePointer<UInt64>
  private var records: Int
  private var places: [Int64: Int] = [:]
  private var empty: [Int] = []
  /// What is known, also when there is no space for a record.
  public private(set) var cooldowns: [Int64: Cooldown] = [:]

  /// Opens the file and reads what it holds. With `fresh` (the job table was of another boot) everything in it is dropped.
  public init(path: String, fresh: Bool) throws(SystemError) {
    let fd = Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | (fresh ? O_TRUNC : 0), 0o600)
    guard fd >= 0 else { throw SystemError("open \(path)") }
    var status = stat()
    fstat(fd, &status)
    let found = min(Int(status.st_size) / Self.recordSize, Self.recordLimit)
    let count = max(Self.firstRecords, found)
    guard let mapped = Self.allocate(fd, count) else {
      let error = SystemError("allocate \(count * Self.recordSize) bytes for \(path)")
      close(fd)
      throw error
    }
    self.fd = fd
    self.base = mapped
    self.records = count
    let now = MonotonicTime.now
    for record in 0..<count {
      let (id, until, failures) = read(record)
      // A record without an until was never finished or was cleared. Failures are remembered for a while after the hold.
      guard until.nanoseconds != 0, until + Self.memory > now, places[id] == nil else {
        base[record * 4 + 1] = 0
        empty.append(record)
        continue
      }
      places[id] = record
      cooldowns[id] = Cooldown(until: until, failures: failures)
    }
  }

  deinit {
    shim_unmap(base, records * Self.recordSize)
    close(fd)
  }

  /// A row of failures is over when the device was not tried for this long.
  private static let memory = Duration.seconds(3600)

  /// Failures in a row of this device so far.
  public func failures(of id: Int64) -> Int { cooldowns[id]?.failures ?? 0 }

  public func set(_ id: Int64, _ cooldown: Cooldown) {
    cooldowns[id] = cooldown
    guard let record = places[id] ?? claim() else { return }
    places[id] = record
    let at = record * 4
    shim_atomic_store(base + at + 1, 0)
    shim_atomic_store(base + at, UInt64(bitPattern: id))
    shim_atomic_store(base + at + 2, UInt64(cooldown.failures))
    shim_atomic_store(base + at + 1, UInt64(bitPattern: cooldown.until.nanoseconds))
  }

  public func clear(_ id: Int64) {
    cooldowns[id] = nil
    guard let record = places.removeValue(forKey: id) else { return }
    shim_atomic_store(base + record * 4 + 1, 0)
    empty.append(record)
  }

  /// Drops what is over, to be called now and then.
  public func expire(at now: MonotonicTime) {
    for (id, cooldown) in cooldowns where cooldown.until + (cooldown.failures > 0 ? Self.memory : .zero) <= now { clear(id) }
  }

  private func read(_ record: Int) -> (Int64, MonotonicTime, Int) {
    let at = record * 4
    return (
      Int64(bitPattern: base[at]), MonotonicTime(nanoseconds: Int64(bitPattern: base[at + 1])), Int(truncatingIfNeeded: base[at + 2])
    )
  }

  private func claim() -> Int? {
    if let record = empty.popLast() { return record }
    let count = min(records * 2, Self.recordLimit)
    guard count > records, let mapped = Self.allocate(fd, count) else { return nil }
    shim_unmap(base, records * Self.recordSize)
    base = mapped
    empty.append(contentsOf: records..<count)
    records = count
    return empty.popLast()
  }

  private static func allocate(_ fd: Int32, _ count: Int) -> UnsafeMutablePointer<UInt64>? {
    let size = count * recordSize
    let status = shim_allocate(fd, size)
    guard status == 0 else {
      errno = -status
      return nil
    }
    return shim_map(fd, size, 1)?.bindMemory(to: UInt64.self, capacity: count * 4)
  }
}
