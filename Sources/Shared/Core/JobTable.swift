import CLinuxShims
import Glibc

/// The jobs of one child in a shared, memory-mapped file: what a killed child leaves to its successor, and what the supervisor reads.
///
/// Only the child that holds the file's lock writes. Every change of a slot that matters is one atomic store of its word, made after
/// the fields that belong to it, so a process killed at any instruction leaves a slot that says the truth.
public final class JobTable {
  public enum Failure: Error, CustomStringConvertible {
    /// Another incarnation lives; the kernel names the holder of the lock.
    case inUse(pid: Int32)
    case system(SystemError)

    public var description: String {
      switch self {
      case .inUse(let pid): "the job table is in use by process \(pid)"
      case .system(let error): "\(error)"
      }
    }
  }

  private typealias Header = JobTableLayout.Header
  private typealias Slot = JobTableLayout.Slot

  /// -1: anonymous memory.
  private let fd: Int32
  private var base: UnsafeMutableRawPointer
  private var mappedSize: Int
  public private(set) var slotCount: Int
  /// False: no space for a file; scripts of this incarnation can't be adopted.
  public let isPersistent: Bool

  private init(fd: Int32, base: UnsafeMutableRawPointer, size: Int, slots: Int) {
    self.fd = fd
    self.base = base
    self.mappedSize = size
    self.slotCount = slots
    self.isPersistent = fd >= 0
  }

  deinit {
    shim_unmap(base, mappedSize)
    if fd >= 0 { close(fd) }
  }

  // MARK: Opening

  /// Opens or makes the table and takes its lock. Jobs of an earlier boot or another pid namespace are gone and dropped.
  public static func open(path: String, slots: Int, place: MachineIdentity) throws(Failure) -> JobTable {
    let wanted = max(1, min(slots, JobTableLayout.slotLimit))
    let fd = Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard fd >= 0 else { throw .system(SystemError("open \(path)")) }
    do throws(Failure) {
      let locked = shim_lock(fd)
      if locked == -EAGAIN { throw .inUse(pid: shim_lock_holder(fd)) }
      if locked < 0 { throw .system(SystemError("lock \(path)", number: -locked)) }
      var status = stat()
      fstat(fd, &status)
      var count = wanted
      let old = Int(status.st_size)
      if old >= JobTableLayout.headerSize {
        // Never shrunk: a slot beyond the configured number may hold a running script.
        count = max(wanted, min((old - JobTableLayout.headerSize) / JobTableLayout.slotSize, JobTableLayout.slotLimit))
      }
      let size = JobTableLayout.fileSize(slots: count)
      let allocated = shim_allocate(fd, size)
      if allocated < 0 { throw .system(SystemError("allocate \(size) bytes for \(path)", number: -allocated)) }
      guard let base = shim_map(fd, size, 1) else { throw .system(SystemError("map \(path)")) }
      let table = JobTable(fd: fd, base: base, size: size, slots: count)
      table.prepare(place)
      return table
    } catch {
      close(fd)
      throw error
    }
  }

  /// A table that lives as long as this process, for a runtime directory without space.
  public static func anonymous(slots: Int, place: MachineIdentity) -> JobTable? {
    let count = max(1, min(slots, JobTableLayout.slotLimit))
    let size = JobTableLayout.fileSize(slots: count)
    guard let base = shim_map_anonymous(size) else { return nil }
    let table = JobTable(fd: -1, base: base, size: size, slots: count)
    table.prepare(place)
    return table
  }

  /// Maps an existing table for reading, without a lock: for the supervisor. nil when there is none or it is not ours to read.
  public static func reader(path: String, place: MachineIdentity) -> JobTable? {
    let fd = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
    guard fd >= 0 else { return nil }
    var status = stat()
    fstat(fd, &status)
    let size = Int(status.st_size)
    guard size >= JobTableLayout.headerSize + JobTableLayout.slotSize, let base = shim_map(fd, size, 0) else {
      close(fd)
      return nil
    }
    let slots = min((size - JobTableLayout.headerSize) / JobTableLayout.slotSize, JobTableLayout.slotLimit)
    let table = JobTable(fd: fd, base: base, size: size, slots: slots)
    return table.isFrom(place) ? table : nil
  }

  private func prepare(_ place: MachineIdentity) {
    if !isFrom(place) {
      memset(base, 0, mappedSize)
      base.storeBytes(of: JobTableLayout.version, toByteOffset: Header.version, as: UInt32.self)
      base.storeBytes(of: UInt32(JobTableLayout.headerSize), toByteOffset: Header.headerSize, as: UInt32.self)
      base.storeBytes(of: UInt32(JobTableLayout.slotSize), toByteOffset: Header.slotSize, as: UInt32.self)
      store(place.pidNamespace, at: Header.pidNamespace)
      write(place.bootID, at: Header.bootID, capacity: 36)
      // The magic last: a process killed before this line leaves a file that the next one prepares anew.
      store(JobTableLayout.magic, at: Header.magic)
    }
    base.storeBytes(of: UInt32(slotCount), toByteOffset: Header.slotCount, as: UInt32.self)
    store(load(Header.generation) + 1, at: Header.generation)
  }

  private func isFrom(_ place: MachineIdentity) -> Bool {
    load(Header.magic) == JobTableLayout.magic
      && base.load(fromByteOffset: Header.version, as: UInt32.self) == JobTableLayout.version
      && base.load(fromByteOffset: Header.slotSize, as: UInt32.self) == UInt32(JobTableLayout.slotSize)
      && base.load(fromByteOffset: Header.headerSize, as: UInt32.self) == UInt32(JobTableLayout.headerSize)
      && load(Header.pidNamespace) == place.pidNamespace
      && text(at: Header.bootID, length: 36) == place.bootID
  }

  /// Makes room for at least `count` slots. Slots keep their contents; the addresses of all slots change.
  public func grow(to count: Int) throws(SystemError) {
    let wanted = min(count, JobTableLayout.slotLimit)
    guard wanted > slotCount else { return }
    let size = JobTableLayout.fileSize(slots: wanted)
    if fd >= 0 { try SystemError.check(shim_allocate(fd, size), "allocate \(size) bytes for the job table") }
    guard let new = fd >= 0 ? shim_map(fd, size, 1) : shim_map_anonymous(size) else { throw SystemError("map the job table") }
    if fd < 0 { memcpy(new, base, mappedSize) }
    shim_unmap(base, mappedSize)
    base = new
    mappedSize = size
    slotCount = wanted
    base.storeBytes(of: UInt32(slotCount), toByteOffset: Header.slotCount, as: UInt32.self)
  }

  // MARK: Header

  /// How many incarnations have opened the table since it was made; 1 = this is the first.
  public var generation: UInt64 { load(Header.generation) }

  public var lastTurn: MonotonicTime {
    get { MonotonicTime(nanoseconds: Int64(bitPattern: load(Header.lastTurn))) }
    set { store(UInt64(bitPattern: newValue.nanoseconds), at: Header.lastTurn) }
  }

  /// The slot whose adoption is under way. Still set at start: the predecessor died over it.
  public var adopting: Int? {
    get { load(Header.adopting) == 0 ? nil : Int(load(Header.adopting)) - 1 }
    set { store(UInt64((newValue ?? -1) + 1), at: Header.adopting) }
  }

  public var adoptionDeaths: UInt64 {
    get { load(Header.adoptionDeaths) }
    set { store(newValue, at: Header.adoptionDeaths) }
  }

  /// The last run of a tick in seconds since the epoch; 0 = never.
  public func tick(_ index: Int) -> Int64 { Int64(bitPattern: load(Header.ticks + 8 * index)) }
  public func setTick(_ index: Int, to seconds: Int64) { store(UInt64(bitPattern: seconds), at: Header.ticks + 8 * index) }

  // MARK: Slots

  public func word(_ slot: Int) -> SlotWord { SlotWord(raw: load(offset(slot) + Slot.word)) }

  /// The addresses that the new process of a slot writes to.
  func addresses(_ slot: Int) -> (word: UnsafeMutablePointer<UInt64>, startTime: UnsafeMutablePointer<UInt64>) {
    (pointer(offset(slot) + Slot.word), pointer(offset(slot) + Slot.startTime))
  }

  /// Fills a free slot and sets it to `starting`. Texts over their capacity are refused: a cut lock name would be another lock.
  public func begin(_ slot: Int, _ job: JobRecord) -> SlotWord? {
    let texts = [(job.payload, Slot.payloadCapacity), (job.lock, Slot.lockCapacity), (job.owner, Slot.ownerCapacity)]
    guard texts.allSatisfy({ $0.0.utf8.count <= $0.1 }) else { return nil }
    let at = offset(slot)
    store(0, at: at + Slot.startTime)
    store(UInt64(bitPattern: job.startedAt.nanoseconds), at: at + Slot.startedBoot)
    store(UInt64(bitPattern: job.startedWall.nanoseconds), at: at + Slot.startedWall)
    store(UInt64(bitPattern: job.deadline?.nanoseconds ?? 0), at: at + Slot.deadline)
    store(0, at: at + Slot.terminated)
    store(0, at: at + Slot.status)
    let lengths = UInt64(job.payload.utf8.count) | UInt64(job.lock.utf8.count) << 16 | UInt64(job.owner.utf8.count) << 32
    store(lengths, at: at + Slot.lengths)
    write(job.payload, at: at + Slot.payload, capacity: Slot.payloadCapacity)
    write(job.lock, at: at + Slot.lock, capacity: Slot.lockCapacity)
    write(job.owner, at: at + Slot.owner, capacity: Slot.ownerCapacity)
    store(UInt64(bitPattern: Int64(job.group)), at: at + Slot.group)
    store(job.score.bitPattern, at: at + Slot.score)
    let word = SlotWord(sequence: word(slot).sequence + 1, state: .starting)
    store(word.raw, at: at + Slot.word)
    return word
  }

  public func record(_ slot: Int) -> JobRecord {
    let at = offset(slot)
    let lengths = load(at + Slot.lengths)
    func length(_ shift: UInt64, _ capacity: Int) -> Int { min(Int(lengths >> shift & 0xFFFF), capacity) }
    let deadline = Int64(bitPattern: load(at + Slot.deadline))
    return JobRecord(
      payload: text(at: at + Slot.payload, length: length(0, Slot.payloadCapacity)),
      lock: text(at: at + Slot.lock, length: length(16, Slot.lockCapacity)),
      owner: text(at: at + Slot.owner, length: length(32, Slot.ownerCapacity)),
      group: Int(Int64(bitPattern: load(at + Slot.group))),
      score: Double(bitPattern: load(at + Slot.score)),
      startedAt: MonotonicTime(nanoseconds: Int64(bitPattern: load(at + Slot.startedBoot))),
      startedWall: .nanoseconds(Int64(bitPattern: load(at + Slot.startedWall))),
      deadline: deadline == 0 ? nil : MonotonicTime(nanoseconds: deadline))
  }

  /// The process that the slot's word names; `startTime` 0 = it has not written it yet.
  public func process(_ slot: Int) -> ProcessIdentity {
    ProcessIdentity(pid: word(slot).pid, startTime: load(offset(slot) + Slot.startTime))
  }

  public func setStartTime(_ slot: Int, _ value: UInt64) { store(value, at: offset(slot) + Slot.startTime) }

  /// When TERM was sent to the group because of the deadline; it survives the child, so KILL comes 5 s later whoever sends it.
  public func terminatedAt(_ slot: Int) -> MonotonicTime? {
    let value = Int64(bitPattern: load(offset(slot) + Slot.terminated))
    return value == 0 ? nil : MonotonicTime(nanoseconds: value)
  }

  public func setTerminated(_ slot: Int, at time: MonotonicTime) {
    store(UInt64(bitPattern: time.nanoseconds), at: offset(slot) + Slot.terminated)
  }

  /// Swaps the slot's word; false when it was not `expected` any more.
  @discardableResult
  public func swap(_ slot: Int, from expected: SlotWord, to state: SlotWord.State) -> Bool {
    shim_atomic_swap(pointer(offset(slot) + Slot.word), expected.raw, expected.with(state).raw) != 0
  }

  /// The process ended: its status is noted before it is reaped, so it can't get lost between the two.
  public func noteEnd(_ slot: Int, _ status: ExitStatus) {
    let raw: UInt64 =
      switch status {
      case .exited(let code): 1 << 32 | UInt64(UInt32(bitPattern: code))
      case .signalled(let signal): 2 << 32 | UInt64(UInt32(bitPattern: signal))
      }
    store(raw, at: offset(slot) + Slot.status)
    store(word(slot).with(.ended).raw, at: offset(slot) + Slot.word)
  }

  /// The status of a slot in the state `ended`.
  public func endStatus(_ slot: Int) -> ExitStatus? {
    let raw = load(offset(slot) + Slot.status)
    let value = Int32(bitPattern: UInt32(truncatingIfNeeded: raw))
    switch raw >> 32 {
    case 1: return .exited(value)
    case 2: return .signalled(value)
    default: return nil
    }
  }

  public func free(_ slot: Int) {
    store(word(slot).with(.free, pid: 0).raw, at: offset(slot) + Slot.word)
  }

  // MARK: Memory

  private func offset(_ slot: Int) -> Int {
    precondition(slot >= 0 && slot < slotCount, "slot \(slot) of \(slotCount)")
    return JobTableLayout.headerSize + slot * JobTableLayout.slotSize
  }

  private func pointer(_ offset: Int) -> UnsafeMutablePointer<UInt64> {
    (base + offset).assumingMemoryBound(to: UInt64.self)
  }

  private func load(_ offset: Int) -> UInt64 { shim_atomic_load(pointer(offset)) }
  private func store(_ value: UInt64, at offset: Int) { shim_atomic_store(pointer(offset), value) }

  private func text(at offset: Int, length: Int) -> String {
    String(decoding: UnsafeRawBufferPointer(start: base + offset, count: length), as: UTF8.self)
  }

  private func write(_ text: String, at offset: Int, capacity: Int) {
    let target = UnsafeMutableRawBufferPointer(start: base + offset, count: capacity)
    target.copyBytes(from: text.utf8.prefix(capacity))
  }
}
