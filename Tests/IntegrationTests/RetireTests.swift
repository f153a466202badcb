import CLinuxShims
import Fixture
import Glibc
import Testing

extension IntegrationTests {
  @Suite struct RetireTests {
    @Test func aStoppedNodeTakesItsOwnRowsAwayAndARunningOneDoesNot() throws {
      try Scene.play(pollingOnly) { scene in
        let none = try scene.node.command("retire")
        #expect(
          none.ending == .exited(0) && none.output.contains("nothing to remove: poller_cluster has no row with NODE_ID node-1"), "\(none)")
        #expect(!fileExists(scene.node.base + "/.lock.service"), "a command of root makes no file that the service can't open")
        try scene.server.query(
          """
          INSERT INTO poller_cluster (id, node_id, poller_name, poller_version, poller_groups, last_report, master)
            VALUES (900, 'node-2', 'other', 'x', '0', NOW(), 0);
          INSERT INTO poller_cluster_stats (parent_poller, poller_type, depth, devices, worker_seconds, workers, frequency)
            VALUES (900, 'poller', 0, 0, 0, 1, 300), (7777, 'poller', 0, 0, 0, 1, 300);
          """)
        try scene.server.addDevices(1)
        try scene.startAndAwaitWork()
        let reported = try eventually(within: .seconds(20), every: .milliseconds(200)) { try rows(scene, "node-1") == 6 }
        #expect(reported, "the node reports")
        let pid = try #require(scene.node.dispatcher).pid
        let refused = try scene.node.command("retire")
        #expect(refused.ending == .exited(1), "\(refused)")
        #expect(refused.errors.contains("runs as process \(pid)") && refused.errors.contains("systemctl stop librenms"), "\(refused)")
        #expect(try rows(scene, "node-1") == 6)
        scene.stopOrderly()

        // The same NODE_ID in another place: nothing here shows it but its reports.
        try scene.server.query(
          """
          SET GLOBAL event_scheduler = ON;
          CREATE EVENT twin ON SCHEDULE EVERY 2 SECOND DO UPDATE poller_cluster SET last_report = NOW() WHERE node_id = 'node-1'
          """)
        let twin = try scene.node.command("retire", limit: .seconds(60))
        #expect(twin.ending == .exited(1) && twin.errors.contains("somewhere else has just reported as NODE_ID node-1"), "\(twin)")
        #expect(try rows(scene, "node-1") == 6)
        try scene.server.query("DROP EVENT twin")
        let retired = try scene.node.command("retire", limit: .seconds(60))
        #expect(retired.ending == .exited(0) && retired.errors.isEmpty, "\(retired)")
        #expect(retired.output.contains("(NODE_ID node-1)") && retired.output.contains("6 in poller_cluster_stats"), "\(retired)")
        #expect(try rows(scene, "node-1") == nil && rows(scene, "node-2") == 1)
        #expect(try scene.server.query("SELECT COUNT(*) FROM poller_cluster_stats") == [["2"]], "others' figures are left alone")
        #expect(try scene.node.command("retire").output.contains("nothing to remove"))

        scene.server.stop()
        let away = try scene.node.command("retire")
        try scene.server.start()
        #expect(away.ending == .exited(1) && away.errors.contains("nothing was removed, the database"), "\(away)")
        #expect(!away.errors.contains(scene.server.password))
      }
    }

    @Test func aHeldLockAndAnInstanceWithoutOneAreInTheWayToo() throws {
      try Scene.play(pollingOnly) { scene in
        // This process holds the lock and answers nobody, as a service that hangs.
        let path = scene.node.base + "/.lock.service"
        try writeText("", to: path)
        let lock = open(path, O_RDWR | O_CLOEXEC)
        #expect(shim_lock(lock) == 0)
        let refused = try scene.node.command("retire")
        #expect(refused.ending == .exited(1), "\(refused)")
        #expect(refused.errors.contains("process \(getpid()) holds") && refused.errors.contains("Stop it first"), "\(refused)")
        close(lock)

        try scene.server.addDevices(1)
        scene.node.arguments = ["-v", "-m"]
        try scene.startAndAwaitWork()
        let pid = try #require(scene.node.dispatcher).pid
        let beside = try scene.node.command("retire")
        #expect(beside.ending == .exited(1) && beside.errors.contains("process \(pid) (-m)"), "\(beside)")
      }
    }

    /// How many rows of figures a node has; nil = the node itself has no row.
    private func rows(_ scene: Scene, _ node: String) throws -> Int? {
      let found = try scene.server.query(
        """
        SELECT (SELECT COUNT(*) FROM poller_cluster_stats WHERE parent_poller = poller_cluster.id)
        FROM poller_cluster WHERE node_id = '\(node)'
        """)
      return found.first?.first.flatMap { Int($0) }
    }
  }
}
