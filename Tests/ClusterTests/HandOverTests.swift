import Fixture
import Glibc
import Testing

extension ClusterTests {
  @Suite struct HandOverTests {
    @Test func aLeaderThatDrainsHandsOverWithin2Seconds() throws {
      try Cluster.play(nodes: 2, sleep: "6") { cluster in
        try cluster.database.addDevices(20)
        try cluster.startAndAwaitWork()
        let old = try cluster.awaitLeader()
        // Its scripts run on for seconds: the lead must not wait for them.
        let moment = wallClock()
        cluster.nodes[old].dispatcher?.send(SIGTERM)
        let new = try cluster.awaitLeader(within: .seconds(10), not: old)
        let took = wallClock() - moment
        progress("drained: n\(new + 1) leads after \(seconds(took))")
        #expect(took < 2)
        #expect(cluster.nodes[old].dispatcher?.wait(.seconds(20)) == .exited(0))
        #expect(cluster.leader.flatMap(Cluster.node) == new, "and keeps the lead when the other has ended")
        expectNoDoubles(cluster.journal)
      }
    }

    @Test func aKilledLeaderIsFollowedWithinTheMasterTimeout() throws {
      try Cluster.play(nodes: 2) { cluster in
        try cluster.database.addDevices(20, lastPolled: spreadOverPeriod)
        try cluster.startAndAwaitWork()
        let old = try cluster.awaitLeader()
        let moment = wallClock()
        cluster.nodes[old].killSupervisor()
        let new = try cluster.awaitLeader(within: .seconds(10), not: old)
        let took = wallClock() - moment
        progress("killed: n\(new + 1) leads after \(seconds(took)), the timeout is 5 s")
        #expect(took < 6)
        try cluster.nodes[old].start()
        pause(.seconds(8))
        #expect(cluster.leader.flatMap(Cluster.node) == new, "who comes back does not take the lead away")
        expectNoDoubles(cluster.journal)
      }
    }
  }
}
