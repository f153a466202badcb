import Fixture
import Glibc
import Testing

@testable import Supervisor

@Suite(.serialized) struct SupervisionTests {
  @Test func childrenThatAreWantedRunAndGetTheirConfiguration() throws {
    try Stage.play(["configd": "ok workers=5 ping=off"]) { stage in
      try stage.start()
      try stage.awaitReady()
      let report = try stage.status()
      let states = Dictionary(uniqueKeysWithValues: report.types.map { ($0.type, $0.state) })
      #expect(report.types.filter(\.wanted).map(\.type) == ["poller", "discovery", "maintenance"])
      #expect(report.types.allSatisfy { $0.state == ($0.wanted ? "running" : "stopped") } && states["ping"] == "stopped")
      #expect(report.node == "stand-in" && report.epoch == 1 && report.healthy)
      #expect(stage.received.contains("poller configure 1 workers=5"))
      #expect(try stage.command("health").ending == .exited(0))
      #expect(stage.log.contains("an unknown message 'moonPhase' of the child is ignored"))
      #expect(!stage.log.contains("correct horse"), "a password in the log")
      #expect(try stage.stop() == .exited(0))
      #expect(
        stage.received.filter { $0.contains("drain") }.sorted()
          == ["discovery", "maintenance", "poller"].map { "\($0) drain kill=false" })
    }
  }

  @Test(arguments: ["garbage", "binary", "huge", "half", "slow", "wire", "early", "flood"])
  func nonsenseFromAChildEndsThatChildAndNothingElse(kind: String) throws {
    try Stage.play(["poller": kind]) { stage in
      try stage.start()
      if kind == "slow" {
        // Half a length and then half a message: nothing is wrong with it yet, so it has as long as any child.
        try stage.see("a start") { stage.pid(after: "poller started") != nil }
        Fixture.pause(.seconds(1))
        #expect(try stage.child("poller").state == "starting")
      } else {
        try stage.see("the child's end", within: .seconds(5)) { try stage.child("poller").restarts == 1 }
        let poller = try stage.child("poller")
        #expect(poller.state == "backoff" && poller.lastRestart?.contains("killed") == true, "\(poller)")
        #expect((poller.nextStart ?? 0) > 6, "a death before ready is structural")
      }
      #expect(try stage.child("discovery").state == "running" && stage.child("discovery").restarts == 0)
      let supervisor = stage.dispatcher?.pid ?? 0
      #expect(ProcessInfo.residentKiB(supervisor) < 64 * 1024)
    }
  }

  @Test func absurdNumbersAreShownAndSurvived() throws {
    try Stage.play(["poller": "absurd", "discovery": "absurd"]) { stage in
      try stage.start()
      try stage.awaitReady()
      try stage.see("a beat") { try stage.child("poller").lastError != nil }
      let text = try stage.command("status").output
      #expect(text.split(separator: "\n", omittingEmptySubsequences: false).allSatisfy { $0.count <= 100 } && !text.contains("\u{1B}"))
    }
  }

  @Test func aHealthyChildThatIsKilledIsBackAtOnce() throws {
    try Stage.play { stage in
      stage.environment["DISPATCHER_HEALTHY_SECONDS"] = "0.2"
      try stage.start()
      try stage.awaitReady()
      Fixture.pause(.milliseconds(300))
      let old = try stage.child("poller").pid
      try stage.signal("poller", SIGKILL)
      let start = ContinuousClock.now
      let isBack = eventually(within: .seconds(5), every: .milliseconds(2)) { stage.pid(after: "poller started") != old }
      #expect(isBack && ContinuousClock.now - start < .milliseconds(300), "\(ContinuousClock.now - start)")
      try stage.see("a second generation") { try stage.child("poller").generation == 2 }
      #expect(try stage.child("poller").lastRestart?.contains("signal 9") == true)
      #expect(try stage.child("discovery").restarts == 0)
    }
  }

  @Test func aStoppedChildIsReplacedLongBeforeItsLocksRunOut() throws {
    try Stage.play { stage in
      stage.environment["DISPATCHER_HEALTHY_SECONDS"] = "0.2"
      try stage.start()
      try stage.awaitReady()
      Fixture.pause(.milliseconds(300))
      try stage.signal("poller", SIGSTOP)
      try stage.see("a second generation", within: .seconds(2)) { try stage.child("poller").generation == 2 }
    }
  }

  @Test func aSilentChildIsReplacedWithinTheLimit() throws {
    try Stage.play(["poller": "silent"]) { stage in
      try stage.start()
      try stage.awaitReady()
      // Half of the shortest lock (10 s) is 5 s, and the look comes once a second, a little later on a busy machine.
      try stage.see("the kill", within: .seconds(8)) { stage.log.contains(/nothing was heard of it for [567] s/) }
    }
  }

  @Test func aPausedSupervisorDoesNotTakeItsChildrenForDead() throws {
    try Stage.play { stage in
      try stage.start()
      try stage.awaitReady()
      guard let supervisor = stage.dispatcher?.pid else { throw FixtureError("it was not started") }
      let children = try stage.status().types.compactMap(\.pid)
      // Children stop with it, as on a paused machine, so that no beat waits in the sockets; after it, or it would see that they are stopped.
      kill(supervisor, SIGSTOP)
      for child in children { kill(child, SIGSTOP) }
      Fixture.pause(.seconds(7))
      for child in children { kill(child, SIGCONT) }
      kill(supervisor, SIGCONT)
      try stage.see("the shift") { stage.log.contains("all clocks are set forward") }
      Fixture.pause(.seconds(2))
      #expect(try stage.status().types.allSatisfy { $0.restarts == 0 }, "\(stage.log)")
    }
  }

  @Test func exitCode78IsForGoodUntilAReload() throws {
    try Stage.play(["poller": "78"]) { stage in
      try stage.start()
      try stage.see("the failure") { try stage.child("poller").state == "failed" }
      try stage.behave("poller", "beats")
      let reload = try stage.command("reload")
      #expect(reload.ending == .exited(0), "\(reload)")
      try stage.see("another chance") { try stage.child("poller").state == "running" }
    }
  }

  @Test func aMissingExecutableIsAnErrorOfThatTypeOnly() throws {
    try Stage.play { stage in
      unlink(stage.path + "/libexec/librenms-pollerd")
      try stage.start()
      try stage.see("discovery") { try stage.child("discovery").state == "running" }
      let poller = try stage.child("poller")
      #expect(poller.state == "backoff" && poller.lastRestart?.contains("librenms-pollerd") == true, "\(poller)")
    }
  }

  @Test func fiveDeathsAreACrashLoopSaidLoudly() throws {
    try Stage.play { stage in
      stage.environment["DISPATCHER_HEALTHY_SECONDS"] = "0.05"
      try stage.start()
      try stage.awaitReady()
      for generation in 2...6 {
        Fixture.pause(.milliseconds(100))
        try stage.signal("poller", SIGKILL)
        try stage.see("generation \(generation)") {
          try stage.child("poller").generation == generation && stage.child("poller").state == "running"
        }
      }
      #expect(try stage.child("poller").crashLooping)
      #expect(stage.log.contains("CRITICAL: crash-looping, 5 deaths within 5 min"))
    }
  }
}
