import Fixture
import Testing

extension ClusterTests {
  @Suite struct DiagnosisTests {
    @Test func onlyTheLeaderSaysThatNobodyServesAGroup() throws {
      try Cluster.play(nodes: 2, sleep: "0.2") { cluster in
        try cluster.database.addDevices(20, lastPolled: spreadOverPeriod)
        // Group 7 is the second node's; the first one learns of it out of the database only.
        cluster.nodes[1].arguments += ["-g", "0", "7"]
        try cluster.database.query("UPDATE devices SET poller_group = 7 WHERE device_id = 7")
        try cluster.database.query("UPDATE devices SET poller_group = 9 WHERE device_id IN (8, 9)")
        try cluster.startAndAwaitWork()
        let text = "no living node polls poller group 9 (2 devices)"
        let isSaid = eventually(within: .seconds(150), every: .seconds(1)) { (0..<2).contains { cluster.lines(text, of: $0) > 0 } }
        let leader = try cluster.awaitLeader()
        #expect(isSaid && cluster.lines(text, of: leader) == 1)
        // The other one has looked by then too, if it did.
        pause(.seconds(15))
        #expect(cluster.lines("no living node", of: 1 - leader) == 0)
        let other = cluster.nodes.flatMap { $0.errors.split(separator: "\n") }.filter {
          $0.contains("librenms-maintenanced WARNING: ") && !$0.contains(text)
        }
        #expect(other.isEmpty, "\(other)")
        #expect(!cluster.journal.runs("poller", "7").isEmpty && cluster.journal.runs("poller", "8").isEmpty)
      }
    }
  }
}
