import Fixture
import Glibc
import Testing

extension ClusterTests {
  @Suite struct NodeReportTests {
    /// The rules of the web page and of validate.php, at every look, through a kill, a stop and a retirement.
    @Test func theClusterPageIsRightThroughDeathsAndRestarts() throws {
      try Cluster.play(nodes: 3, sleep: "0.2") { cluster in
        try cluster.database.addDevices(30, lastPolled: spreadOverPeriod)
        // What a node that was switched off long ago has left.
        try cluster.database.query(
          """
          INSERT INTO poller_cluster (node_id, poller_name, poller_groups, last_report, master)
          VALUES ('gone', 'gone', '0', NOW() - INTERVAL 1 DAY, 1)
          """)
        try cluster.startAndAwaitWork()
        let all: Set<String> = ["n1", "n2", "n3"]
        func settle(_ live: Set<String>, within limit: Duration) throws {
          var faults: [String] = []
          let fine = eventually(within: limit, every: .milliseconds(250)) {
            faults = (try? ClusterReport(cluster.database).faults(live: live)) ?? ["the database"]
            return faults.isEmpty
          }
          #expect(fine, "\(faults)")
        }
        try settle(all, within: .seconds(45))
        func watch(_ live: Set<String>, for time: Double) throws {
          let end = wallClock() + time
          while wallClock() < end {
            let faults = try ClusterReport(cluster.database).faults(live: live)
            if !faults.isEmpty {
              // A hand-over of the lead takes two writes of two nodes.
              pause(.seconds(2))
              let still = try ClusterReport(cluster.database).faults(live: live)
              guard still.isEmpty else { throw FixtureError("\(faults), then \(still)") }
            }
            pause(.milliseconds(500))
          }
        }
        try watch(all, for: fullLength ? 180 : 10)

        let old = try cluster.awaitLeader()
        cluster.nodes[old].killSupervisor()
        let rest = all.subtracting(["n\(old + 1)"])
        // The master's timeout is 5 s; its row is cleared when it is older than twice that.
        try settle(rest, within: .seconds(20 + 30))
        try cluster.nodes[old].start()
        try settle(all, within: .seconds(40))

        let leader = try cluster.awaitLeader()
        let moment = wallClock()
        cluster.nodes[leader].dispatcher?.send(SIGTERM)
        #expect(cluster.nodes[leader].dispatcher?.wait(.seconds(20)) == .exited(0))
        try settle(all.subtracting(["n\(leader + 1)"]), within: .seconds(10))
        progress("a stopped master is off the page after \(seconds(wallClock() - moment))")
        // A node that is taken out for good leaves nothing behind, and one that comes back adds itself anew.
        let gone = "n\(leader + 1)"
        let retired = try cluster.nodes[leader].command("retire", limit: .seconds(60))
        #expect(retired.ending == .exited(0) && retired.output.contains("(NODE_ID \(gone))"), "\(retired)")
        let left = try ClusterReport(cluster.database)
        #expect(!left.nodes.contains { $0.id == gone } && left.faults(live: all.subtracting([gone])).isEmpty, "\(left)")
        let orphans = "SELECT COUNT(*) FROM poller_cluster_stats WHERE parent_poller NOT IN (SELECT id FROM poller_cluster)"
        #expect(try cluster.database.query(orphans) == [["0"]])
        try cluster.nodes[leader].start()
        try settle(all, within: .seconds(40))
        try watch(all, for: fullLength ? 120 : 5)
        expectNoDoubles(cluster.journal)
      }
    }
  }

  @Suite struct UpdateLockTests {
    private let updating = pollingOnly.with(["service_update_enabled": true, "service_update_frequency": 10])

    @Test func oneNodeUpdatesAtATimeAndALockOfAPythonNodeIsRespected() throws {
      try Cluster.play(nodes: 3, updating, sleep: "0.1") { cluster in
        for node in cluster.nodes { try node.behave("maintenance", "sleep=3") }
        let lock = "librenms.lock:schema-update"
        _ = try cluster.redis.command("SET", lock, "python-1b7c2ae0-0000-4000-8000-0123456789ab", "EX", "60", "NX")
        try cluster.start()
        _ = try cluster.awaitLeader(within: .seconds(30))
        pause(.seconds(11))
        #expect(cluster.journal.runs("maintenance").isEmpty, "the lock of a Python node")
        #expect((0..<3).contains { cluster.lines("daily.sh waits: python-1b7c2ae0", of: $0) > 0 })
        _ = try cluster.redis.command("DEL", lock)
        // A node tries every 5 s; three runs of 3 s each after another.
        let done = eventually(within: .seconds(45)) {
          (0..<3).allSatisfy { index in !cluster.nodes[index].journal.runs("maintenance").isEmpty }
        }
        #expect(done, "each node has updated itself")
        let owner = try cluster.redis.command("GET", lock)
        #expect(owner.isEmpty || owner.wholeMatch(of: /n[123]-[0-9a-f-]{36}/) != nil, "\(owner)")
        let runs = cluster.journal.runs("maintenance").sorted { $0.start < $1.start }
        for (one, next) in zip(runs, runs.dropFirst()) {
          #expect((one.end ?? .infinity) <= next.start + 0.05, "two at once: \(one), \(next)")
        }
      }
    }
  }
}
