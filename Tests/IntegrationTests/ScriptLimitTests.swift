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
        #expect(eventually(within: .seconds(run.start + 10 - wallClock())) { group().isEmpty }, "left: \(group())")
        #expect(wallClock() > run.start + 7.9)
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
        #expect(journal.killed("poller").isEmpty && journal.runs("poller").allSatisfy { $0.exitCode == 0 && $0.start < asked + 1.5 })

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
        let lines = scene.node.errors.split(separator: "\n")
        #expect(lines.count { $0.contains("scripts were ended by the stop") } == 1)
        #expect(!lines.contains { $0.contains("ERROR") || $0.contains("not again for") }, "they did not fail:\n\(scene.node.errors)")

        try scene.node.behave("default", nil)
        let again = try scene.startAndAwaitWork()
        #expect(
          eventually(within: .seconds(8)) { Set(scene.node.journal.runs("poller").filter { $0.start >= again }.map(\.id)).count == 10 })
        #expect(!scene.node.errors.contains("did not survive"), "nor after the restart:\n\(scene.node.errors)")
      }
    }

    @Test func alertsThatDieOfAnExceptionAndEndWithZeroAreSaidOnceAndInStatus() throws {
      let alerting = pollingOnly.with(["service_poller_enabled": false, "service_alerting_enabled": true, "service_alerting_frequency": 1])
      try Scene.play(alerting, sleep: "0.1") { scene in
        try scene.server.addDevices(1)
        try scene.node.behave("alerting", "exception=1")
        try scene.startAndAwaitWork("alerting")
        #expect(eventually(within: .seconds(8)) { scene.node.journal.runs("alerting").count { $0.end != nil } >= 4 })
        let words =
          "alerting alerts ended with 0, but died of an exception: RunAlerts.php line 212: Cannot access offset of type string on string"
        #expect(
          scene.node.errors.split(separator: "\n").count { $0.contains("WARNING") && $0.contains(words) } == 1, "\(scene.node.errors)")
        #expect(eventually(within: .seconds(5)) { (try? scene.node.command("status").output.contains("ended with 0, but")) == true })
        try scene.node.behave("alerting", nil)
        #expect(eventually(within: .seconds(5)) { scene.node.errors.contains("no run ends like this any more") })
        #expect(!scene.node.errors.contains("did not come to its end"), "a good run has its last line:\n\(scene.node.errors)")
        scene.stopOrderly()
      }
    }

    @Test func lnmsWithoutItsExecuteBitIsOneFaultOfTheNodeAndPollsGoOnAfterIt() throws {
      try Scene.play(pollingOnly, sleep: "0.1") { scene in
        try scene.server.addDevices(100)
        try scene.server.query("UPDATE devices SET disabled = 1 WHERE device_id > 1")
        try scene.startAndAwaitWork()
        chmod(scene.node.base + "/lnms", 0o644)
        try scene.server.query("UPDATE devices SET disabled = 0")
        #expect(eventually(within: .seconds(10)) { scene.node.errors.contains("can't start scripts: ") }, "\(scene.node.errors)")
        pause(.seconds(3))
        let lines = scene.node.errors.split(separator: "\n")
        #expect(
          lines.count { $0.contains("librenms-pollerd ERROR") && $0.contains("lnms: Permission denied") } == 1, "\(scene.node.errors)")
        chmod(scene.node.base + "/lnms", 0o755)
        #expect(eventually(within: .seconds(20)) { scene.node.journal.ids("poller").count == 100 }, "no device was held for it")
        #expect(scene.node.errors.contains("scripts can be started again"))
        scene.stopOrderly()
        expectNoDoubles(scene.node.journal)
      }
    }
  }
}
