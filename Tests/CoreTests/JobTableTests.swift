import Core
import Glibc
import Simulation
import Testing

@Suite struct JobTableTests {
  private let place = MachineIdentity(bootID: String(repeating: "b", count: 36), pidNamespace: 4_026_531_836)

  private func record(_ payload: String) -> JobRecord {
    JobRecord(
      payload: payload, lock: "poller.device.\(payload)", owner: "node-uuid-Poller_0-1", group: 3, score: 1_700_000_000.25,
      startedAt: MonotonicTime(nanoseconds: 5_000_000_000), startedWall: .seconds(1_700_000_001),
      deadline: MonotonicTime(nanoseconds: 9_000_000_000))
  }

  private func withPath(_ body: (String) throws -> Void) rethrows {
    let path = "/tmp/jobtable-\(getpid())-\(UInt32.random(in: 0 ... .max))"
    defer { unlink(path) }
    try body(path)
  }

  @Test func whatAChildWroteIsReadByItsSuccessor() throws {
    try withPath { path in
      var table: JobTable? = try JobTable.open(path: path, slots: 4, place: place, number: 7)
      let word = try #require(table?.begin(2, record("42")))
      #expect(table?.swap(2, from: word, to: .running) == true)
      table?.noteEnd(2, .exited(6))
      table?.setTick(1, to: 1_700_000_100)
      table = nil

      let successor = try JobTable.open(path: path, slots: 4, place: place, number: 7)
      #expect(successor.generation == 2)
      #expect(successor.word(2).state == .ended)
      #expect(successor.endStatus(2) == .exited(6))
      #expect(successor.record(2) == record("42"))
      #expect(successor.tick(1) == 1_700_000_100)
      #expect(successor.word(0).state == .free)
    }
  }

  @Test func jobsOfAnotherBootOrNamespaceAreGone() throws {
    for other in [
      MachineIdentity(bootID: String(repeating: "c", count: 36), pidNamespace: place.pidNamespace),
      MachineIdentity(bootID: place.bootID, pidNamespace: 1),
    ] {
      try withPath { path in
        var table: JobTable? = try JobTable.open(path: path, slots: 4, place: place, number: 7)
        _ = table?.begin(0, record("1"))
        table = nil
        let successor = try JobTable.open(path: path, slots: 4, place: other, number: 7)
        #expect(successor.word(0).state == .free)
        #expect(successor.generation == 1)
      }
    }
  }

  @Test func garbageInTheFileIsReplacedAndNeverAdopted() throws {
    try withPath { path in
      let fd = open(path, O_RDWR | O_CREAT, 0o600)
      var random = SeededGenerator(seed: 3)
      let bytes = (0..<20_000).map { _ in UInt8.random(in: 0...255, using: &random) }
      _ = bytes.withUnsafeBytes { write(fd, $0.baseAddress, $0.count) }
      close(fd)
      #expect(JobTable.reader(path: path, place: place) == nil)
      let table = try JobTable.open(path: path, slots: 4, place: place, number: 7)
      #expect((0..<table.slotCount).allSatisfy { table.word($0).state == .free })
    }
  }

  @Test func aTableNeverShrinksAndKeepsItsJobsWhenItGrows() throws {
    try withPath { path in
      var table: JobTable? = try JobTable.open(path: path, slots: 8, place: place, number: 7)
      _ = table?.begin(7, record("7"))
      try table?.grow(to: 20)
      #expect(table?.slotCount == 20)
      #expect(table?.record(7) == record("7"))
      table = nil
      let successor = try JobTable.open(path: path, slots: 2, place: place, number: 7)
      #expect(successor.slotCount == 20)
      #expect(successor.record(7).payload == "7")
    }
  }

  @Test func namesThatDoNotFitAreRefusedAndNotCut() throws {
    let table = try #require(JobTable.anonymous(slots: 1, place: place, number: 7))
    var long = record("1")
    long.lock = String(repeating: "x", count: JobTableLayout.Slot.lockCapacity + 1)
    #expect(table.begin(0, long) == nil)
    #expect(table.word(0).state == .free)
  }

  @Test func aSlotThatWasUsedAgainCanNotBeSwappedWithAnOldWord() throws {
    let table = try #require(JobTable.anonymous(slots: 1, place: place, number: 7))
    let old = try #require(table.begin(0, record("1")))
    table.free(0)
    let new = try #require(table.begin(0, record("2")))
    #expect(!table.swap(0, from: old, to: .aborted))
    #expect(table.word(0) == new)
    #expect(table.swap(0, from: new, to: .aborted))
  }

  @Test func aReaderSeesTheTableAsItWasWhenItWasOpened() throws {
    try withPath { path in
      let table = try JobTable.open(path: path, slots: 4, place: place, number: 7)
      let early = try #require(JobTable.reader(path: path, place: place))
      _ = table.begin(1, record("9"))
      #expect(early.word(1).state == .free)
      let reader = try #require(JobTable.reader(path: path, place: place))
      #expect(reader.word(1).state == .starting)
      #expect(reader.record(1).payload == "9")
    }
  }

  @Test func wordsKeepSequenceStateAndPidApart() {
    for (sequence, pid) in [(UInt64(0), Int32(0)), (0xFF_FFFF, Int32.max), (77, 4_194_304)] {
      for raw in UInt8(0)...5 {
        let state = SlotWord.State(rawValue: raw) ?? .free
        let word = SlotWord(sequence: sequence, state: state, pid: pid)
        #expect(word.sequence == sequence)
        #expect(word.state == state)
        #expect(word.pid == pid)
      }
    }
    #expect(SlotWord(raw: 200 << 32).state == nil)
  }
}
