import Fixture
import Testing

extension ClusterTests {
  /// Another node dispatches beside the one that leads, since it does not use its Redis. The row of a node tells.
  @Suite struct RivalTests {
    private func warnings(_ node: SampleNode) -> [Substring] {
      node.errors.split(separator: "\n").filter { $0.contains("librenms-maintenanced WARNING: ") }
    }

    private func expectSaid(_ node: SampleNode, _ words: String...) throws {
      let isSaid = eventually(within: .seconds(100), every: .milliseconds(500)) { warnings(node).contains { $0.contains(words[0]) } }
      #expect(isSaid, "\(node.errors)")
      let said = warnings(node).filter { $0.contains(words[0]) }
      #expect(said.count == 1)
      for word in words { #expect(said.first?.contains(word) == true, "\(said)") }
      // A heartbeat comes each 5 s.
      let isShown = try eventually(within: .seconds(10), every: .milliseconds(500)) {
        guard case .array(let shown)? = try node.status()["warnings"] else { return false }
        return shown.compactMap(\.text).contains { text in words.allSatisfy(text.contains) }
      }
      #expect(isShown)
      #expect(try node.command("status").output.contains("\nwarning: \(words[0])"))
    }

    /// A second service of ours that was set up without the cluster's Redis.
    @Test func eachOfTwoNodesSaysThatTheOtherOneDispatchesToo() throws {
      try Cluster.play(nodes: 1, sleep: "0.2") { cluster in
        try cluster.database.addDevices(20, lastPolled: spreadOverPeriod)
        let alone = try SampleNode(
          server: cluster.database, mark: cluster.mark,
          configuration: pollingOnly.with(["distributed_poller": false, "distributed_poller_name": "lonely"]),
          environment: ["NODE_ID": "n2"], sleep: "0.2")
        try cluster.startAndAwaitWork()
        #expect(try cluster.awaitLeader() == 0)
        try alone.start()
        try expectSaid(
          cluster.nodes[0], "lonely (NODE_ID n2) reports that it is master", "distributed_poller is off there, or its REDIS_ settings")
        try expectSaid(alone, "n1 (NODE_ID n1) reports that it is master", "this node works alone")
        // It is true.
        let both = Set(cluster.journal.runs("poller").map(\.id)).intersection(alone.journal.runs("poller").map(\.id))
        #expect(!both.isEmpty)
        #expect(alone.stop() == .exited(0))
      }
    }

    /// A node of Python's that can't reach the Redis goes on alone and says that it is master; ours takes that away in its row each time.
    @Test func aPythonNodeThatWorksAloneIsNamed() throws {
      try Cluster.play(nodes: 1, sleep: "0.2") { cluster in
        try cluster.database.addDevices(20, lastPolled: spreadOverPeriod)
        try cluster.startAndAwaitWork()
        #expect(try cluster.awaitLeader() == 0)
        let node = cluster.nodes[0]
        var reports = 0
        let isSaid = try eventually(within: .seconds(100), every: .seconds(10)) {
          try cluster.database.query(
            """
            REPLACE INTO poller_cluster (id, node_id, poller_name, poller_version, poller_groups, last_report, master)
            VALUES (77, 'py-uuid', 'py', '25.4.0', '0', NOW(), 1)
            """)
          reports += 1
          return !warnings(node).isEmpty
        }
        #expect(isSaid, "\(node.errors)")
        progress("said after \(reports) reports of the other node")
        try expectSaid(node, "py (NODE_ID py-uuid) reports that it is master", "it does not use this node's Redis")
        #expect(warnings(node).count == 1, "\(warnings(node))")
      }
    }

    /// Who follows reports that it does not lead, and a group of its own is nobody else's.
    @Test func nodesThatDoubleNothingAreNotNamed() throws {
      try Cluster.play(nodes: 2, sleep: "0.2") { cluster in
        try cluster.database.addDevices(20, lastPolled: spreadOverPeriod)
        try cluster.startAndAwaitWork()
        for _ in 0..<7 {
          try cluster.database.query(
            """
            REPLACE INTO poller_cluster (id, node_id, poller_name, poller_version, poller_groups, last_report, master)
            VALUES (77, 'py-uuid', 'py', '25.4.0', '5', NOW(), 1)
            """)
          pause(.seconds(10))
        }
        for node in cluster.nodes { #expect(!node.errors.contains("reports that it is master"), "\(node.errors)") }
      }
    }
  }
}
