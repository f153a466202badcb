import Fixture
import Glibc
import Testing

@testable import Supervisor

@Suite(.serialized) struct OrphanTests {
  @Test func theStatusOfAScriptThatOutlivedItsChildReachesTheSuccessor() throws {
    try Stage.play(["poller": "script 60000 sleep 1; exit 6"]) { stage in
      stage.environment["DISPATCHER_HEALTHY_SECONDS"] = "0.05"
      try stage.start()
      try stage.awaitReady()
      try stage.see("the script in the status") { try stage.status().jobs.map(\.job) == ["7"] }
      let script = try stage.script()
      #expect(try stage.status().jobs.first?.pid == script)
      try stage.signal("poller", SIGKILL)
      try stage.see("the status") { stage.received.contains("poller reaped \(script) exit code 6") }
      #expect(ProcessInfo(script) == nil, "a zombie is left")
    }
  }

  @Test func aStatusIsKeptForAChildThatIsNotThereYet() throws {
    try Stage.play(["poller": "script 60000 sleep 0.7; exit 6"]) { stage in
      try stage.start()
      try stage.awaitReady()
      let script = try stage.script()
      // Not healthy yet: the next one comes after a second, when the script has ended.
      try stage.signal("poller", SIGKILL)
      try stage.see("the status") { stage.received.contains("poller reaped \(script) exit code 6") }
      try stage.see("the successor") { try stage.child("poller").state == "running" }
      let started = stage.received.lastIndex { $0.hasPrefix("poller started") } ?? 0
      let reaped = stage.received.lastIndex { $0.hasPrefix("poller reaped") } ?? 0
      let configured = stage.received.lastIndex { $0.hasPrefix("poller configure") } ?? 0
      #expect(started < reaped && reaped < configured, "it must know before it adopts")
    }
  }

  @Test func whatAnOrphanedScriptLeavesOfItsGroupIsKilled() throws {
    try Stage.play(["poller": "script 60000 sleep 300 & echo $! >$STAND_IN/left; sleep 0.5"]) { stage in
      try stage.start()
      try stage.awaitReady()
      try stage.see("the script's process") { readText(stage.path + "/left")?.isEmpty == false }
      let left = pid_t((readText(stage.path + "/left") ?? "").prefix { $0 != "\n" }) ?? 0
      try stage.signal("poller", SIGKILL)
      try stage.see("its end") { !ProcessInfo.isAlive(left) }
    }
  }

  @Test func deadlinesHoldWhileAChildIsAway() throws {
    try Stage.play(["poller": "script 2500 trap '' TERM; sleep 300"]) { stage in
      try stage.start()
      try stage.awaitReady()
      let script = try stage.script()
      try stage.behave("poller", "exit 1")
      // The first restart after a second dies before ready: from then on the child is away for 8 s and more.
      try stage.signal("poller", SIGKILL)
      try stage.see("TERM") { stage.log.contains("ending the group of script \(script): it is over its limit") }
      try stage.see("KILL", within: .seconds(8)) { ProcessInfo(script) == nil }
    }
  }

  @Test func aStopWaitsForScriptsWithoutAChildAndASecondSignalEndsThem() throws {
    try Stage.play(["poller": "script 60000 sleep 300"]) { stage in
      try stage.start()
      try stage.awaitReady()
      let script = try stage.script()
      try stage.behave("poller", "exit 1")
      try stage.signal("poller", SIGKILL)
      stage.dispatcher?.send(SIGTERM)
      #expect(stage.dispatcher?.wait(.seconds(2)) == nil, "it must wait for the script")
      #expect(try stage.status().summary == "stopping: 1 job still runs")
      stage.dispatcher?.send(SIGTERM)
      #expect(stage.dispatcher?.wait(.seconds(3)) == .exited(0))
      #expect(!ProcessInfo.isAlive(script))
    }
  }

  @Test func scriptsOutliveAKilledSupervisorAndAreSeenByTheNext() throws {
    try Stage.play(["poller": "script 60000 sleep 300"]) { stage in
      try stage.start()
      try stage.awaitReady()
      let script = try stage.script()
      stage.kill()
      try stage.see("the end of the children") { stage.mark.survivors().map(\.pid) == [script] }
      try stage.start()
      try stage.awaitReady()
      #expect(try stage.status().jobs.map(\.pid) == [script])
      kill(script, SIGKILL)
    }
  }
}
