import Core
import Glibc
import Testing

/// A table whose name is taken away while it is in use.
@Suite struct JobTablePlaceTests {
  private let place = MachineIdentity(bootID: String(repeating: "b", count: 36), pidNamespace: 4_026_531_836)

  private func withPath(_ body: (String) throws -> Void) rethrows {
    let path = "/tmp/jobtable-place-\(getpid())-\(UInt32.random(in: 0 ... .max))"
    defer { for name in [path, path + ".new", path + ".old"] { unlink(name) } }
    try body(path)
  }

  private func job(_ payload: String) -> JobRecord {
    JobRecord(
      payload: payload, lock: "poller.device.\(payload)", owner: "n", group: 0, score: 0, startedAt: MonotonicTime(nanoseconds: 1),
      startedWall: .seconds(1), deadline: nil)
  }

  @Test(arguments: [false, true]) func aTableGetsANewFileWithEverythingThatWasInIt(isAnonymous: Bool) throws {
    try withPath { path in
      var table: JobTable? =
        isAnonymous
        ? try #require(JobTable.anonymous(slots: 4, place: place, number: 7))
        : try JobTable.open(path: path, slots: 4, place: place, number: 7)
      let word = try #require(table?.begin(2, job("42")))
      table?.setTick(1, to: 1_700_000_100)
      unlink(path)
      #expect(table?.isAt(path) == false)
      // One of a process that died in the middle of this.
      try #require(creat(path + ".new", 0o600) >= 0)
      try table?.move(to: path)
      #expect(table?.isAt(path) == true && table?.isPersistent == true)
      #expect(table?.swap(2, from: word, to: .running) == true)
      #expect(JobTable.reader(path: path, place: place)?.word(2).state == .running)
      #expect(access(path + ".new", F_OK) != 0)
      // It grows in its new file, and leaves it to a successor.
      try table?.grow(to: 9)
      table?.noteEnd(2, .exited(6))
      table = nil
      let successor = try JobTable.open(path: path, slots: 4, place: place, number: 7)
      #expect(successor.slotCount == 9 && successor.record(2) == job("42") && successor.endStatus(2) == .exited(6))
      #expect(successor.tick(1) == 1_700_000_100)
    }
  }

  @Test func anotherFileOfThatNameIsReplaced() throws {
    try withPath { path in
      let table = try JobTable.open(path: path, slots: 4, place: place, number: 7)
      _ = table.begin(1, job("7"))
      rename(path, path + ".old")
      _ = try JobTable.open(path: path, slots: 2, place: place, number: 7)
      #expect(!table.isAt(path))
      try table.move(to: path)
      #expect(JobTable.reader(path: path, place: place)?.record(1) == job("7"))
    }
  }

  @Test(arguments: ["/nonexistent/x.jobs", "/proc/x.jobs", "/dev/null/x.jobs"]) func withoutAPlaceItStaysWhatItWas(nowhere: String) throws {
    try withPath { path in
      let table = try JobTable.open(path: path, slots: 4, place: place, number: 7)
      let word = try #require(table.begin(1, job("7")))
      #expect(throws: JobTable.Failure.self) { try table.move(to: nowhere) }
      #expect(table.isAt(path) && table.swap(1, from: word, to: .running) && table.record(1) == job("7"))
    }
  }
}
