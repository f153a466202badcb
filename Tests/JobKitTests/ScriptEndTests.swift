import Core
import Fixture
import Glibc
import Testing

@testable import JobKit

/// What an engine says about scripts that don't start, are stopped, fail without a word, or end with 0 after an exception.
@Suite(.serialized) struct ScriptEndTests {
  // MARK: Scripts that can't be started

  @Test func aScriptWithoutItsExecuteBitIsSaidOnceForAllDevicesAndNoneIsPunished() throws {
    let scene = try EngineScene(workers: 4)
    try scene.script("exit 0", mode: 0o644)
    for device in 1...200 { scene.start("\(device)") }
    #expect(scene.lines.all.count == 1, "\(scene.lines.all.prefix(3))")
    #expect(scene.said("error can't start scripts: start \(scene.directory)/script: Permission denied") == 1)
    #expect(scene.cooldowns.cooldowns.isEmpty, "no device did anything wrong")
    #expect(scene.coordinator.depth == 200, "and none is lost")
    #expect(scene.heartbeat.fault?.contains("no script can be started: start \(scene.directory)/script: Permission denied") == true)
    #expect(scene.heartbeat.outages.isEmpty, "a restart could not cure it, but somebody has to")
    try scene.script("exit 0")
    scene.run("201")
    #expect(scene.said("scripts can be started again") == 1)
    #expect(scene.heartbeat.fault == nil)
    #expect(scene.heartbeat.done == 1)
  }

  @Test(arguments: ["#!/nonexistent/php", "#!/usr/bin/env nonexistent-php"])
  func aMissingInterpreterIsOneStateToo(_ first: String) throws {
    let scene = try EngineScene(workers: 4)
    try writeText(first + "\n", to: scene.directory + "/script", mode: 0o755)
    for device in 1...20 { scene.run("\(device)") }
    #expect(scene.lines.all.count == 1, "\(scene.lines.all.prefix(3))")
    #expect(scene.said("can't start scripts") == 1)
    #expect(scene.said("No such file or directory") == 1)
    #expect(scene.cooldowns.cooldowns.isEmpty)
    #expect(scene.coordinator.depth == 20)
    #expect(scene.heartbeat.fault != nil)
    #expect(scene.heartbeat.failed == 0)
    try scene.script("exit 0")
    scene.run("21")
    #expect(scene.said("scripts can be started again") == 1)
    #expect(scene.heartbeat.fault == nil)
  }

  @Test func aBaseDirectoryThatIsGoneIsOneStateToo() throws {
    let scene = try EngineScene(workers: 2)
    unlink(scene.directory + "/script")
    for device in 1...10 { scene.start("\(device)") }
    #expect(scene.said("can't start scripts: start \(scene.directory)/script: No such file or directory") == 1)
    #expect(scene.lines.all.count == 1)
    #expect(scene.coordinator.depth == 10)
  }

  @Test func oneScriptAtATimeShowsWhetherItWorksAgain() throws {
    let scene = try EngineScene(workers: 4)
    try writeText("#!/usr/bin/env nonexistent-php\n", to: scene.directory + "/script", mode: 0o755)
    scene.run("1")
    #expect(!scene.engine.isProbing)
    try scene.script("exec sleep 20")
    scene.start("2")
    #expect(scene.engine.isProbing)
    #expect(scene.heartbeat.fault != nil, "that it was started shows nothing yet")
    scene.engine.lookAfterStarts(at: .now + .seconds(2))
    #expect(scene.heartbeat.fault == nil, "it has lived for a second")
    #expect(!scene.engine.isProbing)
  }

  // MARK: A stop that does not wait

  @Test func scriptsThatTheStopEndsAreNoFailuresAndNotCooledDown() throws {
    let scene = try EngineScene(workers: 4)
    try scene.script(#"case $1 in 4) trap "exit 143" TERM;; 3) trap "exit 0" TERM;; esac; echo up >"$1.up"; sleep 20 & wait"#)
    for device in 1...4 { scene.start("\(device)") }
    #expect(scene.turn { (1...4).allSatisfy { fileExists("\(scene.directory)/\($0).up") } })
    var drained = false
    scene.engine.onDrained = { drained = true }
    scene.engine.drain(kill: false)
    #expect(!drained)
    scene.engine.drain(kill: true)
    scene.engine.drain(kill: true)
    #expect(scene.turn { drained })
    #expect(scene.lines.all.allSatisfy { !$0.hasPrefix("error") }, "\(scene.lines.all)")
    #expect(scene.said("the stop does not wait: 4 running scripts are ended") == 1)
    #expect(scene.said("3 scripts were ended by the stop") == 1)
    #expect(scene.lines.all.count == 2, "\(scene.lines.all)")
    #expect(scene.cooldowns.cooldowns.isEmpty)
    #expect(scene.heartbeat.failed == 0)
    #expect((1...4).allSatisfy { !scene.coordinator.isHeld("poller.device.\($0)") }, "the next service polls them at once")
  }

  @Test func afterARestartAScriptThatTheStopEndedIsNoFailureEither() throws {
    for state in [SlotWord.State.running, .ended] {
      let scene = try EngineScene(workers: 1) { files in
        let table = try JobTable.open(path: files.table, slots: 1, place: .current(), number: 7)
        let record = JobRecord(
          payload: "7", lock: "poller.device.7", owner: "n", group: 0, score: 5, startedAt: .now - .seconds(5),
          startedWall: WallClock.now, deadline: nil)
        let word = try #require(table.begin(0, record))
        JobTableProbe.enter(files.table, 0, word.with(.running, pid: 4_190_000))
        table.setStartTime(0, 77)
        table.setTerminated(0, at: .now - .seconds(1), byStop: true)
        if state == .ended { table.noteEnd(0, .exited(143)) }
      }
      #expect(scene.turn { scene.engine.running == 0 })
      #expect(scene.lines.all.allSatisfy { !$0.hasPrefix("error") && !$0.hasPrefix("warning") }, "\(scene.lines.all)")
      #expect(scene.cooldowns.cooldowns.isEmpty)
      #expect(!scene.coordinator.isHeld("poller.device.7"))
      #expect(scene.heartbeat.failed == 0)
    }
  }

  @Test func scriptsThatDiedWithThePredecessorAreToldTogether() throws {
    let scene = try EngineScene(workers: 8) { files in
      let table = try JobTable.open(path: files.table, slots: 8, place: .current(), number: 7)
      for index in 0..<8 {
        let record = JobRecord(
          payload: "\(index)", lock: "poller.device.\(index)", owner: "n", group: 0, score: 5, startedAt: .now - .seconds(5),
          startedWall: WallClock.now, deadline: nil)
        let word = try #require(table.begin(index, record))
        JobTableProbe.enter(files.table, index, word.with(.running, pid: 4_190_000 + Int32(index)))
        table.noteEnd(index, .exited(0))
        // A status of no kind: nobody knows how it ended.
        JobTableProbe.forgetStatus(files.table, index)
      }
    }
    #expect(scene.turn(until: .seconds(3)) { !scene.lines.all.isEmpty })
    #expect(scene.said("warning 8 scripts did not survive a restart of the dispatcher") == 1, "\(scene.lines.all)")
    #expect(scene.lines.all.count == 1)
    #expect(scene.cooldowns.cooldowns.isEmpty)
  }

  @Test func aKilledScriptThatNobodyWatchesIsReapedWithoutStandingStill() throws {
    let scene = try EngineScene(workers: 1)
    try scene.script("exec sleep 20")
    scene.start("1")
    let slot = scene.engine.slots[0]
    let identity = try #require(slot.identity)
    slot.watch = nil
    let pidfd = try #require(identity.open())
    let before = MonotonicTime.now
    let host = try #require(scene.engine.host as? LinuxHost)
    host.reapUnwatched(pidfd) { scene.engine.ended(slot, $0) }
    #expect(MonotonicTime.now - before < .milliseconds(500), "it lives for 20 s")
    #expect(slot.phase == .running)
    kill(identity.pid, SIGKILL)
    #expect(scene.turn { slot.phase == .free })
    #expect(kill(identity.pid, 0) != 0, "reaped")
  }

  // MARK: Failures without a word

  @Test func silentFailuresOfSeveralDevicesAreExplainedInOneLine() throws {
    let scene = try EngineScene(workers: 1)
    try scene.script("exit 1")
    mkdir(scene.directory + "/logs", 0o755)
    defer { rmdir(scene.directory + "/logs") }
    try writeText("", to: scene.directory + "/logs/librenms.log", mode: 0o644)
    defer { unlink(scene.directory + "/logs/librenms.log") }
    if geteuid() == 0 { chown(scene.directory + "/logs/librenms.log", 65534, 65534) }
    for device in 1...6 { scene.run("\(device)") }
    let words = "the scripts of 3 devices in a row (1, 2, 3) ended with exit code 1 and not a word"
    #expect(scene.turn { scene.said(words) == 1 }, "\(scene.lines.all)")
    let line = try #require(scene.lines.all.first { $0.contains(words) })
    #expect(line.contains("sudo -u \(ScriptFilesCheck.ownName) \(scene.directory)/script 3;"), "without -q: \(line)")
    if geteuid() == 0 { #expect(line.contains("\(scene.directory)/logs/librenms.log belongs to nobody"), "\(line)") }
    #expect(scene.heartbeat.warnings.contains { $0.contains(words) })
    try scene.script("exit 0")
    scene.run("7")
    #expect(scene.heartbeat.warnings.isEmpty)
    #expect(scene.said("scripts do their work again") == 1)
    #expect(scene.said(words) == 1)
  }

  @Test func failuresThatExplainThemselvesAreNot() throws {
    let scene = try EngineScene(workers: 1)
    try scene.script("echo 'Could not open log file: Permission denied' >&2; exit 1")
    for device in 1...4 { scene.run("\(device)") }
    #expect(scene.said("not a word") == 0)
    #expect(scene.said("Permission denied") == 4)
  }

  // MARK: Exceptions that end with 0

  @Test(arguments: ["", " >&2"])
  func anExceptionThatEndsWithZeroIsSaidOnceAndIsInTheHeartbeatUntilAGoodRun(_ stream: String) throws {
    let scene = try EngineScene(workers: 1)
    try scene.script(
      "printf 'PHP Fatal error:  Uncaught TypeError: Cannot access offset in /x.php:3\\nStack trace:\\n#0 {main}\\n'\(stream)")
    for device in 1...5 { scene.run("\(device)") }
    #expect(scene.lines.all.count == 1, "\(scene.lines.all)")
    #expect(scene.said("poller 1 ended with 0, but died of an exception: TypeError: Cannot access offset in /x.php:3") == 1)
    #expect(scene.heartbeat.done == 5, "its exit code says done, and its lock follows that")
    #expect(scene.heartbeat.warnings.contains { $0.contains("poller 1 and 4 others ended with 0, but died of an exception") })
    #expect(scene.heartbeat.lastError?.contains("TypeError") == true)
    try scene.script("exit 0")
    for device in 1...5 { scene.run("\(device)") }
    #expect(scene.heartbeat.warnings.isEmpty)
    #expect(scene.said("no run ends like this any more") == 1)
  }
}
