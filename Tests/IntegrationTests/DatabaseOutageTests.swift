import Fixture
import Glibc
import Testing

extension IntegrationTests {
  @Suite struct DatabaseOutageTests {
    private let children = ["librenms-pollerd", "librenms-discoveryd", "librenms-pingd"]
    private let everything = pollingOnly.with([
      "service_discovery_enabled": true, "service_ping_enabled": true, "service_ping_frequency": 10,
    ])

    @Test func aStoppedServerIsOneLineEachWayAndWorkResumesWithIt() throws { try playOutage(orderly: true) }
    @Test func aKilledServerIsOneLineEachWayAndWorkResumesWithIt() throws { try playOutage(orderly: false) }

    private func playOutage(orderly: Bool) throws {
      try Scene.play(everything) { scene in
        try scene.server.addDevices(100, lastPolled: spreadOverPeriod)
        try scene.startAndAwaitWork()
        pause(.seconds(5))
        let before = try children.map { try scene.node.awaitChild($0).pid }
        let said = scene.node.errors.split(separator: "\n").count
        if orderly { scene.server.stop() } else { scene.server.kill() }
        pause(.seconds(fullLength ? 20 : orderly ? 12 : 5))
        let back = wallClock()
        try scene.server.start()
        let answered = wallClock()
        let resumed = scene.firstStart(after: back, within: .seconds(10)) ?? .infinity
        progress("polling resumed \(resumed - answered) s after the server's return")
        #expect(resumed - answered < 4)
        #expect(try children.map { try scene.node.awaitChild($0).pid } == before, "children are not restarted")
        // ping asks only every 10 s: a short outage passes without its notice, since an ended connection is replaced when it is needed.
        pause(.seconds(13))
        let lines = scene.node.errors.split(separator: "\n").dropFirst(said)
        for child in children {
          let own = lines.filter { $0.contains(child) && $0.contains("database") }
          let (away, back) = (own.count { $0.contains(" ERROR") }, own.count { $0.contains(" INFO") })
          #expect(away == back && (away == 1 || away == 0 && child == "librenms-pingd"), "\(child): \(own)")
        }
        #expect(try children.map { try scene.node.awaitChild($0).pid } == before, "children are not restarted")
        scene.stopOrderly()
        // A script that could not write fails, and is tried again after 10 s.
        let failed = Set(scene.node.journal.runs("poller").filter { $0.exitCode != 0 }.map(\.id))
        expectNoDoubles(scene.node.journal, except: failed)
      }
    }

    @Test func aServerThatAcceptsAndNeverAnswersIsWaitedFor() throws {
      try Scene.play(pollingOnly) { scene in
        try scene.server.addDevices(20, lastPolled: spreadOverPeriod)
        try scene.startAndAwaitWork()
        let child = try scene.node.awaitChild("librenms-pollerd").pid
        scene.server.freeze()
        pause(.seconds(15))
        #expect(try scene.node.awaitChild("librenms-pollerd").pid == child, "a silent server is no reason to restart a child")
        scene.server.thaw()
        let thawed = wallClock()
        #expect((scene.firstStart(after: thawed, within: .seconds(5)) ?? .infinity) - thawed < 4)
        scene.stopOrderly()
      }
    }

    @Test func withoutADatabaseAtStartItIsReadyAndSaysWhatItWaitsFor() throws {
      try Scene.play(pollingOnly) { scene in
        try scene.server.addDevices(20)
        scene.server.stop()
        let notify = try NotifySocket(path: scene.node.directory.path + "/notify")
        scene.node.environment["NOTIFY_SOCKET"] = notify.path
        let began = wallClock()
        try scene.node.start()
        #expect(eventually(within: .seconds(40), every: .milliseconds(100)) { notify.latest("READY") == "1" }, "READY without a database")
        progress("READY after \(wallClock() - began) s, STATUS=\(notify.latest("STATUS") ?? "")")
        #expect(notify.latest("STATUS")?.contains("database") == true)
        #expect(scene.node.journal.runs("poller").isEmpty && scene.node.dispatcher?.poll() == nil)
        let health = try scene.node.command("health")
        #expect(health.output.contains("database"), "\(health.output)\(health.errors)")
        try scene.server.start()
        let there = wallClock()
        let first = scene.firstStart(after: there - 1, within: .seconds(20)) ?? .infinity
        progress("first script \(first - there) s after the database is there")
        #expect(first - there < 6)
        scene.stopOrderly()
        #expect(notify.latest("STOPPING") == "1")
      }
    }
  }
}
