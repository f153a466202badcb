import Core
import Glibc
import Testing

@testable import JobKit

/// An engine on a table whose slots somebody has written over.
@Suite(.serialized) struct DamagedTableTests {
  private typealias Layout = JobTableLayout

  private func record(_ payload: String, deadline: Duration? = .seconds(600)) -> JobRecord {
    JobRecord(
      payload: payload, lock: "poller.device.\(payload)", owner: "n-uuid-Poller_0-1", group: 0, score: 5, startedAt: .now,
      startedWall: WallClock.now, deadline: deadline.map { .now + $0 })
  }

  private func overwrite(_ path: String, _ range: Range<Int>, _ random: inout SplitMix) {
    let fd = open(path, O_WRONLY)
    let bytes = range.map { _ in UInt8.random(in: 0...255, using: &random) }
    _ = bytes.withUnsafeBytes { pwrite(fd, $0.baseAddress, $0.count, off_t(range.lowerBound)) }
    close(fd)
  }

  private func slot(_ index: Int) -> Int { Layout.headerSize + index * Layout.slotSize }

  /// A living script in a slot of the table.
  private func sleeper(in table: JobTable, _ index: Int, _ payload: String, seconds: Int = 30) throws -> Program.Started {
    let word = try #require(table.begin(index, record(payload)))
    let null = open("/dev/null", O_RDWR | O_CLOEXEC)
    defer { close(null) }
    return try Program(path: "/bin/sleep", arguments: ["\(seconds)"], environment: [], input: null, output: null, error: null)
      .start(in: (table, index, word))
  }

  private func end(_ process: Program.Started) {
    kill(process.pid, SIGKILL)
    var status: Int32 = 0
    waitpid(process.pid, &status, 0)
    close(process.pidfd)
  }

  @Test func slotsOfRandomBytesAreFreedWithOneLine() throws {
    var random = SplitMix(state: 17)
    for round in 0..<20 {
      let scene = try EngineScene(workers: 8) { files in
        do { _ = try JobTable.open(path: files.table, slots: 8, place: .current(), number: 7) }
        overwrite(files.table, slot(0)..<slot(8), &random)
      }
      #expect(scene.engine.slots.allSatisfy { $0.phase == .free }, "round \(round): \(scene.lines.all)")
      #expect(scene.lines.all.count <= 1, "\(scene.lines.all)")
      #expect(scene.said("8 slots of the job table held garbage that names no process of ours") == 1, "\(scene.lines.all)")
      #expect(scene.heartbeat.fault == nil)
      #expect(scene.heartbeat.warnings.isEmpty)
      #expect(scene.coordinator.depth == 0, "nothing of it is believed")
    }
  }

  @Test func garbageThatNamesALivingScriptIsHeldUntilItsEndAndOthersWorkMeanwhile() throws {
    var random = SplitMix(state: 4)
    var script: Program.Started?
    let scene = try EngineScene(workers: 2) { files in
      let table = try JobTable.open(path: files.table, slots: 2, place: .current(), number: 7)
      script = try sleeper(in: table, 0, "7")
      overwrite(files.table, slot(0) + 8..<slot(1), &random)
    }
    let sleeping = try #require(script)
    #expect(scene.engine.slots[0].phase == .quarantined)
    #expect(scene.engine.slots.count == 3, "the table has as many usable slots as there are workers")
    #expect(scene.engine.slotLimit == 2)
    #expect(scene.heartbeat.warnings.isEmpty)
    try scene.script("exit 0")
    for device in 1...4 { scene.run("\(device)") }
    #expect(scene.heartbeat.done == 4)
    #expect(kill(sleeping.pid, 0) == 0, "nobody ends a process for what garbage says about it")
    end(sleeping)
    scene.engine.turn(at: .now)
    scene.engine.heldLookDue = .now
    scene.engine.turn(at: .now)
    #expect(scene.engine.slots[0].phase == .free)
    #expect(scene.said("1 slots of the job table can be used again") == 1)
  }

  @Test func aWholeSlotWithALivingScriptIsAdoptedBesideGarbage() throws {
    var random = SplitMix(state: 9)
    var script: Program.Started?
    let scene = try EngineScene(workers: 3) { files in
      let table = try JobTable.open(path: files.table, slots: 3, place: .current(), number: 7)
      script = try sleeper(in: table, 1, "7")
      overwrite(files.table, slot(0)..<slot(1), &random)
      overwrite(files.table, slot(2)..<slot(3), &random)
      overwrite(files.table, 0..<Layout.headerSize, &random)
    }
    defer { if let script { end(script) } }
    #expect(scene.engine.running == 1)
    #expect(scene.coordinator.isHeld("poller.device.7"))
    #expect(scene.said("the header of the job table was damaged") == 1)
  }

  @Test func slotsOfALaterVersionAreLeftAndTheTableGrows() throws {
    let scene = try EngineScene(workers: 2) { files in
      let table = try JobTable.open(path: files.table, slots: 2, place: .current(), number: 7)
      for index in 0..<2 { _ = table.begin(index, record("\(index)")) }
      try JobTableProbe.makeNewer(files.table, slots: 2)
    }
    #expect(scene.engine.slots.map(\.phase) == [.quarantined, .quarantined, .free, .free])
    #expect(scene.said("2 slots of the job table hold jobs of a later version") == 1)
    #expect(scene.engine.slotLimit == 2)
    try scene.script("exit 0")
    scene.run("1")
    #expect(scene.heartbeat.done == 1)
  }

  @Test func aTableThatCanNotGrowSaysWhatIsMissing() throws {
    let scene = try EngineScene(workers: 2) { files in
      let table = try JobTable.open(path: files.table, slots: 2, place: .current(), number: 7)
      for index in 0..<2 { _ = table.begin(index, record("\(index)")) }
      try JobTableProbe.makeNewer(files.table, slots: 2)
    }
    for slot in scene.engine.slots where slot.phase == .free { scene.engine.send(.setAside(nil), to: slot) }
    scene.engine.roomError = SystemError("allocate 8192 bytes", number: ENOSPC)
    let fault = try #require(scene.heartbeat.fault)
    #expect(fault.contains("4 slots of the job table can't be used"))
    #expect(fault.contains("No space left"))
    #expect(fault.contains("0 of 2 workers work"))
    scene.engine.send(.vacated, to: scene.engine.slots[0])
    #expect(scene.heartbeat.fault == nil)
    #expect(scene.heartbeat.warnings.contains { $0.contains("1 of 2 workers work") })
  }

  @Test func adoptionDoesNotStandStillForProcessesThatHaveNoStartTimeYet() throws {
    let before = MonotonicTime.now
    let scene = try EngineScene(workers: 24) { files in
      let table = try JobTable.open(path: files.table, slots: 24, place: .current(), number: 7)
      for index in 0..<24 {
        let word = try #require(table.begin(index, record("\(index)")))
        // A pid that nobody has: the process died between its two stores.
        JobTableProbe.enter(files.table, index, word.with(.running, pid: 4_190_000 + Int32(index)))
      }
    }
    #expect(MonotonicTime.now - before < .seconds(1), "2.4 s at 100 ms for each")
    #expect(scene.engine.slots.allSatisfy { $0.phase == .identifying })
    #expect(scene.engine.running == 24, "their slots are not free, and a drain waits for them")
    #expect(scene.turn { scene.engine.slots.allSatisfy { $0.phase == .unresolved || $0.phase == .free } })
  }

  @Test func aStartTimeThatComesLateIsStillTheOneThatIsWatched() throws {
    var process: Program.Started?
    let scene = try EngineScene(workers: 1) { files in
      let table = try JobTable.open(path: files.table, slots: 1, place: .current(), number: 7)
      let started = try sleeper(in: table, 0, "7")
      process = started
      table.setStartTime(0, 0)
    }
    let started = try #require(process)
    #expect(scene.engine.slots[0].phase == .identifying)
    scene.engine.drain(kill: true)
    #expect(scene.turn { scene.engine.slots[0].phase == .running })
    #expect(scene.engine.slots[0].identity == ProcessIdentity.of(pid: started.pid))
    #expect(scene.engine.table.endedByStop(0), "the stop came while its start time was awaited")
    end(started)
  }

  @Test func aTableThatIsCutUnderALivingEngineKeepsItsJobs() throws {
    let scene = try EngineScene(workers: 4)
    try scene.script("exec sleep 20")
    for device in 1...3 { scene.start("\(device)") }
    #expect(scene.engine.running == 3)
    for length in [0, 5000] {
      truncate(scene.tablePath, off_t(length))
      scene.engine.turn(at: .now)
      let reader = try #require(JobTable.reader(path: scene.tablePath, place: .current()))
      let running = (0..<4).filter { reader.word($0).state == .running && reader.integrity($0) == .whole }
      #expect(running.map { reader.record($0).payload }.sorted() == ["1", "2", "3"])
      #expect(running.allSatisfy { reader.process($0).isAlive })
    }
    #expect(scene.said("the job table was cut short by somebody else: it is whole again, and 3 running scripts are entered anew") == 1)
    scene.engine.drain(kill: true)
    #expect(scene.turn { scene.engine.running == 0 })
  }

  @Test func cooldownsOfRandomBytesAreNoneAndWholeOnesStay() throws {
    var random = SplitMix(state: 23)
    for round in 0..<50 {
      let scene = try EngineScene(workers: 1) { files in
        do {
          _ = try JobTable.open(path: files.table, slots: 1, place: .current(), number: 7)
          let file = try CooldownFile(path: files.cooldowns, fresh: true, now: .now)
          for id in 1...8 { file.set(Int64(id), .init(until: .now + .seconds(60 * id), failures: id % 2)) }
        }
        overwrite(files.cooldowns, 64..<128, &random)
        if round % 2 == 0 { truncate(files.cooldowns, 32 * 6 + 7) }
      }
      let left = Set(scene.cooldowns.cooldowns.keys)
      #expect(left == (round % 2 == 0 ? [1, 2, 5, 6] : [1, 2, 5, 6, 7, 8]))
      #expect(scene.cooldowns.garbage == 2)
      #expect(left.allSatisfy { scene.coordinator.isHeld("poller.device.\($0)") })
    }
  }

  @Test func aCooldownFileThatIsCutUnderItsWriterEndsNobody() throws {
    let scene = try EngineScene(workers: 1)
    for id in 1...3000 { scene.cooldowns.set(Int64(id), .init(until: .now + .seconds(60), failures: 1)) }
    truncate(scene.directory + "/poller.cooldowns", 0)
    for id in 1...3000 { scene.cooldowns.set(Int64(id), .init(until: .now + .seconds(90), failures: 2)) }
    let successor = try CooldownFile(path: scene.directory + "/poller.cooldowns", fresh: false, now: .now)
    #expect(successor.cooldowns.count == 3000)
    #expect(successor.failures(of: 1234) == 2)
  }
}

/// Seeded.
struct SplitMix: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var value = state
    value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
    value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
    return value ^ value >> 31
  }
}
