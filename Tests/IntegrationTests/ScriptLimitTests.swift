import Fixture
import Glibc
import Testing

extension IntegrationTests {
  @Suite struct ScriptLimitTests {
    @Test func aScriptThatIgnoresTermIsGoneWithItsGrandchildrenFiveSecondsAfterItsLimit() throws {
      try Scene.play(pollingOnly, environment: ["DISPATCHER_POLLER_JOB_TIMEOUT": "3"]) { scene in
        try scene.server.addDevices(5)
        try scene.node.behave("1", "sleep=600 ignore_term=1 grandchildren=2")
        try scene.startAndAwaitWork()
        var first: ScriptRun?
        eventually(within: .seconds(5)) {
          first = scene.node.journal.runs("poller", "1").first
          return first != nil
        }
        let run = try #require(first)
        func group() -> [ProcessInfo] { ProcessInfo.all().filter { $0.session == run.pid && $0.state != "Z" } }
        #expect(
          eventually(within: .seconds(2)) { group().count == 7 }, "the script, two children that have a child each, and the subshells")
        pause(.milliseconds(Int((run.start + 7 - wallClock()) * 1000)))
        #expect(!group().isEmpty, "TERM at 3 s is ignored, KILL comes 5 s later")
        pause(.milliseconds(Int((run.start + 8.7 - wallClock()) * 1000)))
        #expect(group().isEmpty, "left: \(group())")
        scene.stopOrderly()
        #expect(scene.node.errors.contains("1") && scene.node.errors.contains("limit"), "the log says why:\n\(scene.node.errors)")
      }
    }

    @Test func aStopWaitsForScriptsAndASecondOneDoesNot() throws {
      try Scene.play(pollingOnly, sleep: "4") { scene in
        try scene.server.addDevices(10)
        try scene.startAndAwaitWork()
        pause(.seconds(1))
        let asked = wallClock()
        #expect(scene.node.stop(within: .seconds(15)) == .exited(0))
        let journal = scene.node.journal
        #expect(journal.killed("poller").isEmpty && journal.runs("poller").allSatisfy { $0.exitCode == 0 && $0.start < asked + 0.5 })

        try scene.node.behave("default", "sleep=600 ignore_term=1")
        try scene.server.query("UPDATE devices SET last_polled = NOW() - INTERVAL 1 DAY")
        let before = wallClock()
        try scene.node.start()
        #expect(scene.firstStart(after: before, within: .seconds(20)) != nil, "\(scene.node.errors)")
        scene.node.dispatcher?.send(SIGTERM)
        pause(.seconds(1))
        #expect(scene.node.dispatcher?.poll() == nil, "one SIGTERM waits")
        scene.node.dispatcher?.send(SIGTERM)
        #expect(scene.node.dispatcher?.wait(.seconds(9)) == .exited(0), "a second one ends the scripts: TERM, 5 s, KILL")
        #expect(scene.node.journal.running("poller", at: wallClock()).filter { ProcessInfo.isAlive($0.pid) }.isEmpty)
      }
    }
  }
}
