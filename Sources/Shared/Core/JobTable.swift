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

  /// What `open` has found in the file.
  public enum Condition: Equatable, Sendable {
    /// Nothing, or a table of another boot or pid namespace, whose processes are gone.
    case new
    case intact
    /// The file was cut to this many bytes: slots that lay beyond are lost.
    case cut(bytes: Int)
    /// The header was not readable; this many slots said for themselves that they are whole and of this boot, and are kept.
    case headerLost(kept: Int)
  }

  /// -1: anonymous memory.
  private(set) var fd: Int32
  private(set) var base: UnsafeMutableRawPointer
  private(set) var mappedSize: Int
  public private(set) var slotCount: Int
  /// False: no space for a file; scripts of this incarnation can't be adopted.
  public var isPersistent: Bool { fd >= 0 }
  public private(set) var condition = Condition.new
  let place: MachineIdentity
  /// Of the seals of its slots.
  let seed: UInt64
  /// What a table that is made anew is told by from others.
  private let newNumber: UInt64

  init(
    fd: Int32, base: UnsafeMutableRawPointer, size: Int, slots: Int, place: MachineIdentity, newNumber: UInt64 = 0
  ) {
    self.fd = fd
    self.newNumber = newNumber
    self.place = place
    seed = SlotSeal.seed(place)
    self.base = base
    self.mappedSize = size
    self.slotCount = slots
  }

  deinit {
    shim_unmap(base, mappedSize)
    if fd >= 0 { close(fd) }
  }

  // MARK: Opening

  /// Opens or makes the table and takes its lock. Jobs of an earlier boot or another pid namespace are gone and dropped. `number`: random,
  /// of a table that is made anew.
  public static func open(path: String, slots: Int, place: MachineIdentity, number: UInt64) throws(Failure) -> JobTable {
    let wanted = max(1, min(slots, JobTableLayout.slotLimit))
    var fd = Glibc.open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW)
    let existed = fd >= 0
    if !existed { fd = Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600) }
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
      let table = JobTable(fd: fd, base: base, size: size, slots: count, place: place, newNumber: number)
      let isCut = existed && table.isCut(from: old)
      table.prepare()
      if isCut { table.condition = .cut(bytes: old) }
      return table
    } catch {
      close(fd)
      throw error
    }
  }

  /// A copy of an existing table as it is now, without a lock: for the supervisor. nil when there is none or it is not ours to read.
  ///
  /// Read and not mapped: a file that somebody cuts short would end every process that looks at a mapping of it (SIGBUS).
  public static func reader(path: String, place: MachineIdentity) -> JobTable? {
    let fd = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
    guard fd >= 0 else { return nil }
    defer { close(fd) }
    var status = stat()
    guard fstat(fd, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
    let slots = min((Int(status.st_size) - JobTableLayout.headerSize) / JobTableLayout.slotSize, JobTableLayout.slotLimit)
    guard slots > 0 else { return nil }
    let size = JobTableLayout.fileSize(slots: slots)
    guard let base = shim_map_anonymous(size) else { return nil }
    let table = JobTable(fd: -1, base: base, size: size, slots: slots, place: place)
    var filled = 0
    while filled < size {
      let count = pread(fd, base + filled, size - filled, off_t(filled))
      if count < 0 && errno == EINTR { continue }
      // What was cut off meanwhile stays zero: free slots.
      guard count > 0 else { break }
      filled += count
    }
    return table.isFrom(place) ? table : nil
  }

  /// A file that was there has a header and whole slots, and no fewer than its header says.
  private func isCut(from size: Int) -> Bool {
    let slots = (size - JobTableLayout.headerSize) / JobTableLayout.slotSize
    guard slots > 0, size == JobTableLayout.fileSize(slots: slots) else { return true }
    let promised = Int(base.load(fromByteOffset: Header.slotCount, as: UInt32.self))
    return hasOurLayout && promised > slots && promised <= JobTableLayout.slotLimit
  }

  func prepare() {
    condition = isFrom(place) ? .intact : renew()
    base.storeBytes(of: UInt32(slotCount), toByteOffset: Header.slotCount, as: UInt32.self)
    // An earlier version's table has none.
    if number == 0 { store(newNumber | 1, at: Header.number) }
    store(load(Header.generation) &+ 1, at: Header.generation)
  }

  /// Makes header and slots new, except slots that are whole and of this boot: a header is easier lost than a running script.
  private func renew() -> Condition {
    let isEmpty = load(Header.magic) == 0
    let isOfAnotherBoot = hasOurLayout
    let kept = (0..<slotCount).filter { word($0).state != .free && integrity($0) == .whole }
    memset(base, 0, JobTableLayout.headerSize)
    for slot in Set(0..<slotCount).subtracting(kept) { memset(base + offset(slot), 0, JobTableLayout.slotSize) }
    base.storeBytes(of: JobTableLayout.version, toByteOffset: Header.version, as: UInt32.self)
    base.storeBytes(of: UInt32(JobTableLayout.headerSize), toByteOffset: Header.headerSize, as: UInt32.self)
    base.storeBytes(of: UInt32(JobTableLayout.slotSize), toByteOffset: Header.slotSize, as: UInt32.self)
    store(place.pidNamespace, at: Header.pidNamespace)
    write(place.bootID, at: Header.bootID, capacity: 36)
    // Its incarnations are not counted from the beginning: what lies beside the table is of this boot too.
    if !kept.isEmpty { store(1, at: Header.generation) }
    // The magic last: a process killed before this line leaves a file that the next one prepares anew.
    store(JobTableLayout.magic, at: Header.magic)
    return kept.isEmpty && (isEmpty || isOfAnotherBoot) ? .new : .headerLost(kept: kept.count)
  }

  private var hasOurLayout: Bool {
    load(Header.magic) == JobTableLayout.magic
      && base.load(fromByteOffset: Header.version, as: UInt32.self) == JobTableLayout.version
      && base.load(fromByteOffset: Header.slotSize, as: UInt32.self) == UInt32(JobTableLayout.slotSize)
      && base.load(fromByteOffset: Header.headerSize, as: UInt32.self) == UInt32(JobTableLayout.headerSize)
  }

  private func isFrom(_ place: MachineIdentity) -> Bool {
    hasOurLayout && load(Header.pidNamespace) == place.pidNamespace && text(at: Header.bootID, length: 36) == place.bootID
  }

  /// Makes a file whole again that somebody has cut short under this process, before a store into what is missing ends it; to be called
  /// now and then. True: it was cut, and every slot has to be entered anew. Throws when there is no space.
  public func repair() throws(SystemError) -> Bool {
    guard fd >= 0 else { return false }
    var status = stat()
    guard fstat(fd, &status) == 0, Int(status.st_size) < mappedSize else { return false }
    try SystemError.check(shim_allocate(fd, mappedSize), "allocate \(mappedSize) bytes for the job table")
    memset(base, 0, mappedSize)
    prepare()
    return true
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

  /// The same contents in another file, which is this table's from now on.
  func adopt(descriptor: Int32, base: UnsafeMutableRawPointer, size: Int) {
    shim_unmap(self.base, mappedSize)
    if fd >= 0 { close(fd) }
    fd = descriptor
    self.base = base
    mappedSize = size
  }

  // MARK: Header

  /// How many incarnations have opened the table since it was made; 1 = this is the first.
  public var generation: UInt64 { load(Header.generation) }

  /// Random, the same for all incarnations that have opened this table.
  public var number: UInt64 { load(Header.number) }

  public var lastTurn: MonotonicTime {
    get { MonotonicTime(nanoseconds: Int64(bitPattern: load(Header.lastTurn))) }
    set { store(UInt64(bitPattern: newValue.nanoseconds), at: Header.lastTurn) }
  }

  /// The slot whose adoption is under way. Still set at start: the predecessor died over it.
  public var adopting: Int? {
    get { load(Header.adopting) == 0 ? nil : Int(exactly: load(Header.adopting)).map { $0 - 1 } }
    set { store(UInt64((newValue ?? -1) + 1), at: Header.adopting) }
  }

  public var adoptionDeaths: UInt64 {
    get { load(Header.adoptionDeaths) }
    set { store(newValue, at: Header.adoptionDeaths) }
  }

  /// The last run of a tick in seconds since the epoch; 0 = never. A time that no clock of ours shows is no tick: it would stop the ticks.
  public func tick(_ index: Int) -> Int64 {
    let value = Int64(bitPattern: load(Header.ticks + 8 * index))
    return JobTableLayout.plausibleTicks.contains(value) ? value : 0
  }
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
    store(0, at: at + Slot.terminationCause)
    store(0, at: at + Slot.status)
    let lengths = UInt64(job.payload.utf8.count) | UInt64(job.lock.utf8.count) << 16 | UInt64(job.owner.utf8.count) << 32
    store(lengths, at: at + Slot.lengths)
    write(job.payload, at: at + Slot.payload, capacity: Slot.payloadCapacity)
    write(job.lock, at: at + Slot.lock, capacity: Slot.lockCapacity)
    write(job.owner, at: at + Slot.owner, capacity: Slot.ownerCapacity)
    store(UInt64(bitPattern: Int64(job.group)), at: at + Slot.group)
    store(job.score.bitPattern, at: at + Slot.score)
    let word = SlotWord(sequence: word(slot).sequence + 1, state: .starting)
    store(SlotSeal.value(of: base + at, sequence: word.sequence, seed: seed), at: at + Slot.seal)
    store(word.raw, at: at + Slot.word)
    return word
  }

  /// Enters a running job whose slot was lost from the file.
  public func enterAgain(_ slot: Int, _ job: JobRecord, _ process: ProcessIdentity) {
    guard let word = begin(slot, job) else { return }
    setStartTime(slot, process.startTime)
    store(word.with(.running, pid: process.pid).raw, at: offset(slot) + Slot.word)
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
  /// A time before the job's start or after this moment is none: with it KILL would never come.
  public func terminatedAt(_ slot: Int, now: MonotonicTime) -> MonotonicTime? {
    let time = MonotonicTime(nanoseconds: Int64(bitPattern: load(offset(slot) + Slot.terminated)))
    let started = MonotonicTime(nanoseconds: Int64(bitPattern: load(offset(slot) + Slot.startedBoot)))
    return time.nanoseconds != 0 && time >= started && time <= now ? time : nil
  }

  /// TERM was sent because the service stops, not for the job's limit.
  public func endedByStop(_ slot: Int) -> Bool { load(offset(slot) + Slot.terminationCause) == 1 }

  public func setTerminated(_ slot: Int, at time: MonotonicTime, byStop: Bool = false) {
    store(byStop ? 1 : 0, at: offset(slot) + Slot.terminationCause)
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
    // Before the word: killed between the two, the slot still holds the job, as one of a version without seals.
    store(0, at: offset(slot) + Slot.seal)
    store(word(slot).with(.free, pid: 0).raw, at: offset(slot) + Slot.word)
  }

  // MARK: Memory

  func offset(_ slot: Int) -> Int {
    precondition(slot >= 0 && slot < slotCount, "slot \(slot) of \(slotCount)")
    return JobTableLayout.headerSize + slot * JobTableLayout.slotSize
  }

  func pointer(_ offset: Int) -> UnsafeMutablePointer<UInt64> {
    (base + offset).assumingMemoryBound(to: UInt64.self)
  }

  func load(_ offset: Int) -> UInt64 { shim_atomic_load(pointer(offset)) }
  func store(_ value: UInt64, at offset: Int) { shim_atomic_store(pointer(offset), value) }

  private func text(at offset: Int, length: Int) -> String {
    String(decoding: UnsafeRawBufferPointer(start: base + offset, count: length), as: UTF8.self)
  }

  private func write(_ text: String, at offset: Int, capacity: Int) {
    let target = UnsafeMutableRawBufferPointer(start: base + offset, count: capacity)
    target.copyBytes(from: text.utf8.prefix(capacity))
  }
}
