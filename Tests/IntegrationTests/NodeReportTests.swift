import Fixture
import Glibc
import Testing

extension IntegrationTests {
  @Suite struct NodeReportTests {
    @Test func aNodeAloneReportsItselfAndItsWork() throws {
      try Scene.play(pollingOnly, sleep: "0.4") { scene in
        try scene.server.addDevices(40, lastPolled: spreadOverPeriod)
        let began = try scene.startAndAwaitWork()
        // Two reports: 30 s apart.
        pause(.seconds(fullLength ? 100 : 45))
        let report = try ClusterReport(scene.server)
        #expect(report.faults(live: ["node-1"]).isEmpty, "\(report)")
        let node = try #require(report.nodes.first)
        #expect(report.nodes.count == 1 && node.isMaster && node.groups == "0" && node.set == 0, "\(node)")
        // 40 devices each 20 s; the row is up to 30 s old, and at the begin the window was not full.
        let poller = try #require(node.types["poller"])
        let jobs = try #require(Int(poller[1]))
        let workerSeconds = try #require(Double(poller[2]))
        #expect(jobs >= 30 && jobs <= 46, "\(poller)")
        #expect(workerSeconds > Double(jobs) * 0.4 && workerSeconds < Double(jobs) * 1.5, "\(poller)")
        #expect(poller[3] == "24" && poller[4] == "20")
        #expect(node.types["billing"]?[3] == "2" && node.types["alerting"]?[3] == "1" && node.types["ping"]?[3] == "1")
        #expect(node.types["discovery"]?[...2] == ["0", "0", "0"], "a type that is off: \(node.types)")
        #expect(wallClock() > began)
      }
    }

    @Test func theRowIsTheAdminsAfterTheFirstReportAndKeepsItsNumber() throws {
      try Scene.play(pollingOnly, sleep: "0.1") { scene in
        try scene.server.addDevices(2)
        try scene.startAndAwaitWork()
        func row() throws -> [String] {
          try scene.server.query("SELECT id, poller_name, poller_groups, master, poller_workers FROM poller_cluster").first
            ?? [String](repeating: "", count: 5)
        }
        #expect(eventually(within: .seconds(20)) { (try? row()[3]) == "1" })
        let id = try row()[0]
        try scene.server.query("UPDATE poller_cluster SET poller_name = 'renamed', poller_groups = '0,4', poller_workers = 3")
        scene.stopOrderly()
        #expect(try row() == [id, "renamed", "0,4", "0", "3"], "who stops is not master any more")
        try scene.node.start()
        #expect(eventually(within: .seconds(20)) { (try? row()[3]) == "1" })
        #expect(try row() == [id, "renamed", "0,4", "1", "3"])
        let status = try scene.node.status()
        #expect(status["name"]?.text == "renamed", "the row wins over the configuration")
        // The next number of the table shows whether reports used any up.
        try scene.server.query(
          "INSERT INTO poller_cluster (node_id, poller_name, poller_groups, last_report, master) VALUES ('x','x','0',NOW(),0)")
        let next = try scene.server.query("SELECT id FROM poller_cluster WHERE node_id = 'x'")
        #expect(next == [["\((Int(id) ?? 0) + 1)"]])
      }
    }

    @Test func aSecondServiceUnderTheSameNodeIDIsSaid() throws {
      try Scene.play(pollingOnly, sleep: "0.1") { scene in
        try scene.server.addDevices(2)
        try scene.startAndAwaitWork()
        let warning = "another service reports under the same NODE_ID (node-1)"
        let begun = wallClock()
        while wallClock() - begun < 100, !scene.node.errors.contains(warning) {
          try scene.server.query("UPDATE poller_cluster SET last_report = NOW() + INTERVAL 1 SECOND WHERE node_id = 'node-1'")
          pause(.seconds(5))
        }
        #expect(scene.node.errors.contains(warning))
      }
    }
  }
}
