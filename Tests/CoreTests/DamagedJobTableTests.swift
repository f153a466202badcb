import Glibc
import Simulation
import Testing

@testable import Core

/// The table's file as input: whatever is in it, opening and reading it ends well.
@Suite struct DamagedJobTableTests {
  private typealias Layout = JobTableLayout
  private let place = MachineIdentity(bootID: String(repeating: "b", count: 36), pidNamespace: 4_026_531_836)

  private func record(_ payload: String) -> JobRecord {
    JobRecord(
      payload: payload, lock: "poller.device.\(payload)", owner: "node-uuid-Poller_0-1", group: 3, score: 1_700_000_000.25,
      startedAt: MonotonicTime(nanoseconds: 5_000_000_000), startedWall: .seconds(1_700_000_001),
      deadline: MonotonicTime(nanoseconds: 9_000_000_000))
  }

  /// A table with a job in each slot, its file, and a way to overwrite bytes of it.
  private final class Scene {
    let path = "/tmp/damaged-\(getpid())-\(UInt32.random(in: 0 ... .max))"

    func fill(_ slots: Int, _ place: MachineIdentity, _ record: (Int) -> JobRecord) throws {
      let table = try JobTable.open(path: path, slots: slots, place: place, number: 7)
      for slot in 0..<slots {
        guard let word = table.begin(slot, record(slot)) else { continue }
        table.enter(slot, word, ProcessIdentity(pid: 4_190_000 + Int32(slot), startTime: 77))
      }
    }

    func overwrite(_ range: Range<Int>, with byte: () -> UInt8) {
      let fd = open(path, O_WRONLY)
      let bytes = range.map { _ in byte() }
      _ = bytes.withUnsafeBytes { pwrite(fd, $0.baseAddress, $0.count, off_t(range.lowerBound)) }
      close(fd)
    }

    func store(_ value: UInt64, at offset: Int) {
      var bytes = withUnsafeBytes(of: value.littleEndian) { Array($0) }[...]
      overwrite(offset..<offset + 8) { bytes.removeFirst() }
    }

    deinit { unlink(path) }
  }

  @Test func aSlotSaysWhetherItIsWholeInEveryState() throws {
    let table = try #require(JobTable.anonymous(slots: 1, place: place, number: 7))
    let word = try #require(table.begin(0, record("42")))
    #expect(table.integrity(0) == .whole)
    table.enter(0, word, ProcessIdentity(pid: 4711, startTime: 12345))
    #expect(table.integrity(0) == .whole)
    table.setTerminated(0, at: .now, byStop: true)
    table.noteEnd(0, .signalled(15))
    #expect(table.integrity(0) == .whole)
    #expect(table.endedByStop(0))
    table.free(0)
    #expect(table.integrity(0) == .unsealed)
  }

  @Test func theSealIsTheSameForEver() throws {
    let table = try #require(JobTable.anonymous(slots: 1, place: place, number: 7))
    _ = table.begin(0, record("42"))
    #expect(table.load(table.offset(0) + Layout.Slot.seal) == 0x4C53_0001_6D9F_1587)
  }

  @Test func everySingleWrongByteOfARecordShows() throws {
    let scene = Scene()
    try scene.fill(1, place) { _ in record("42") }
    let covered = Array(16..<40) + Array(56..<792)
    for offset in stride(from: 0, to: covered.count, by: 7).map({ covered[$0] }) {
      var byte: UInt8 = 0
      let fd = open(scene.path, O_RDONLY)
      pread(fd, &byte, 1, off_t(Layout.headerSize + offset))
      close(fd)
      let place = Layout.headerSize + offset
      scene.overwrite(place..<place + 1) { byte ^ 0x10 }
      #expect(JobTable.reader(path: scene.path, place: self.place)?.integrity(0) == .garbage, "byte \(offset)")
      scene.overwrite(place..<place + 1) { byte }
    }
    #expect(JobTable.reader(path: scene.path, place: place)?.integrity(0) == .whole)
  }

  @Test func aSlotOfALaterVersionIsNoGarbageAndAStateOfNobodyIs() throws {
    let table = try #require(JobTable.anonymous(slots: 2, place: place, number: 7))
    for slot in 0..<2 {
      let word = try #require(table.begin(slot, record("42")))
      let version = slot == 0 ? UInt64(Layout.version) + 1 : UInt64(Layout.version)
      let at = table.offset(slot)
      table.store(
        SlotSeal.value(of: table.base + at, sequence: word.sequence, seed: table.seed, version: version), at: at + Layout.Slot.seal)
      table.store(word.raw & ~(0xFF << 32) | 99 << 32, at: at)
    }
    #expect(table.integrity(0) == .newer)
    #expect(table.integrity(1) == .garbage)
  }

  @Test func slotsOfAVersionWithoutSealsAreTakenAsTheyAre() throws {
    let scene = Scene()
    try scene.fill(1, place) { _ in record("42") }
    scene.store(0, at: Layout.headerSize + Layout.Slot.seal)
    let table = try JobTable.open(path: scene.path, slots: 1, place: place, number: 7)
    #expect(table.integrity(0) == .unsealed)
    #expect(table.record(0) == record("42"))
    scene.store(0xFFFF, at: Layout.headerSize + Layout.Slot.lengths)
    #expect(table.integrity(0) == .garbage)
  }

  @Test func randomBytesAnywhereNeverEndAProcessThatOpensOrReads() throws {
    var random = SeededGenerator(seed: 17)
    for round in 0..<200 {
      let scene = Scene()
      try scene.fill(3, place) { record("\($0)") }
      let size = Layout.fileSize(slots: 3)
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        let from = Int.random(in: 0..<size - 8, using: &random)
        scene.overwrite(from..<min(size, from + [1, 8, 64, 1024, 5000].randomElement(using: &random)!)) {
          UInt8.random(in: 0...255, using: &random)
        }
      }
      if round % 5 == 0 { truncate(scene.path, off_t(Int.random(in: 0..<size, using: &random))) }
      for table in [
        JobTable.reader(path: scene.path, place: place), try JobTable.open(path: scene.path, slots: 3, place: place, number: 7),
      ] {
        guard let table else { continue }
        for slot in 0..<table.slotCount {
          _ = (table.integrity(slot), table.record(slot), table.terminatedAt(slot, now: .now), table.endStatus(slot), table.process(slot))
        }
        for index in 0..<Layout.Header.tickCount {
          #expect(table.tick(index) == 0 || Layout.plausibleTicks.contains(table.tick(index)))
        }
        _ = (table.adopting, table.lastTurn)
      }
    }
  }

  @Test func aLostHeaderKeepsTheJobsOfThisBoot() throws {
    let scene = Scene()
    try scene.fill(4, place) { record("\($0)") }
    scene.overwrite(0..<Layout.headerSize) { 0xA5 }
    scene.overwrite(Layout.headerSize + 1024..<Layout.headerSize + 2048) { 0xA5 }
    #expect(JobTable.reader(path: scene.path, place: place) == nil)
    let table = try JobTable.open(path: scene.path, slots: 4, place: place, number: 7)
    #expect(table.condition == .headerLost(kept: 3))
    #expect((0..<4).map { table.word($0).state } == [.running, .free, .running, .running])
    #expect(table.record(3) == record("3"))
    #expect(table.generation > 1, "cool-downs beside it are of this boot too")
  }

  @Test func aHeaderOfAnotherBootIsNoDamage() throws {
    let scene = Scene()
    try scene.fill(2, place) { record("\($0)") }
    let other = MachineIdentity(bootID: String(repeating: "c", count: 36), pidNamespace: place.pidNamespace)
    #expect(try JobTable.open(path: scene.path, slots: 2, place: other, number: 7).condition == .new)
    #expect(try JobTable.open(path: scene.path, slots: 2, place: other, number: 7).condition == .intact)
  }

  @Test func absurdNumbersOfTheHeaderAreNone() throws {
    let scene = Scene()
    try scene.fill(1, place) { _ in record("1") }
    for value: UInt64 in [.max, .max - 1, 1 << 63, 1 << 62] {
      for offset in [Layout.Header.generation, Layout.Header.adopting, Layout.Header.adoptionDeaths, Layout.Header.ticks] {
        scene.store(value, at: offset)
      }
      let table = try JobTable.open(path: scene.path, slots: 1, place: place, number: 7)
      #expect(table.tick(0) == 0)
      #expect((table.adopting ?? .max) >= table.slotCount)
    }
  }

  @Test func aTerminationOutsideOfTheJobsLifeIsNone() throws {
    let table = try #require(JobTable.anonymous(slots: 1, place: place, number: 7))
    _ = table.begin(0, record("1"))
    table.setTerminated(0, at: MonotonicTime(nanoseconds: 4_000_000_000))
    #expect(table.terminatedAt(0, now: .now) == nil, "before it began")
    table.setTerminated(0, at: .now + .seconds(3600))
    #expect(table.terminatedAt(0, now: .now) == nil, "in the future: KILL would never come")
  }

  @Test func aTableThatIsCutUnderItsReaderDoesNotEndIt() throws {
    let scene = Scene()
    try scene.fill(8, place) { record("\($0)") }
    let reader = try #require(JobTable.reader(path: scene.path, place: place))
    truncate(scene.path, 0)
    #expect((0..<8).allSatisfy { reader.record($0).payload == "\($0)" }, "what was read stays")
    #expect(JobTable.reader(path: scene.path, place: place) == nil)
    mkfifo(scene.path + ".fifo", 0o600)
    defer { unlink(scene.path + ".fifo") }
    #expect(JobTable.reader(path: scene.path + ".fifo", place: place) == nil, "and a FIFO in its place hangs nobody")
  }

  @Test func aTableThatIsCutUnderItsWriterIsMadeWholeAgain() throws {
    let scene = Scene()
    let table = try JobTable.open(path: scene.path, slots: 8, place: place, number: 7)
    #expect(try !table.repair())
    for length in [0, 4096, 5000] {
      truncate(scene.path, off_t(length))
      #expect(try table.repair())
      table.enterAgain(7, record("7"), ProcessIdentity(pid: 4711, startTime: 99))
      #expect(table.integrity(7) == .whole)
      #expect(table.process(7) == ProcessIdentity(pid: 4711, startTime: 99))
      #expect(JobTable.reader(path: scene.path, place: place)?.record(7) == record("7"))
      #expect(try !table.repair())
    }
  }

  @Test func aCutFileIsSaidBySuccessor() throws {
    let scene = Scene()
    try scene.fill(8, place) { record("\($0)") }
    truncate(scene.path, off_t(Layout.fileSize(slots: 2) + 100))
    let table = try JobTable.open(path: scene.path, slots: 8, place: place, number: 7)
    #expect(table.condition == .cut(bytes: Layout.fileSize(slots: 2) + 100))
    #expect((0..<3).map { table.integrity($0) } == [.whole, .whole, .garbage], "of the third, 100 bytes are left")
    #expect((0..<8).map { table.word($0).state } == [.running, .running, .running] + Array(repeating: .free, count: 5))
  }
}

extension JobTable {
  /// What a new process does.
  fileprivate func enter(_ slot: Int, _ word: SlotWord, _ process: ProcessIdentity) {
    setStartTime(slot, process.startTime)
    store(word.with(.running, pid: process.pid).raw, at: offset(slot))
  }
}
