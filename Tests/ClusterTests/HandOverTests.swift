import Fixture
import Glibc
import Testing

extension ClusterTests {
  @Suite struct HandOverTests {
    @Test func aLeaderThatDrainsHandsOverAtOnceAndAKilledOneWithinTheMasterTimeout() throws {
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

        try cluster.nodes[old].start()
        #expect(eventually(within: .seconds(20)) { cluster.lines("Redis connected", of: old) > 2 * cluster.children(of: old) - 2 })
        let dead = new
        let killed = wallClock()
        cluster.nodes[dead].killSupervisor()
        let next = try cluster.awaitLeader(within: .seconds(10), not: dead)
        let waited = wallClock() - killed
        progress("killed: n\(next + 1) leads after \(seconds(waited)), the timeout is 5 s")
        #expect(waited < 7)
        try cluster.nodes[dead].start()
        pause(.seconds(6))
        #expect(cluster.leader.flatMap(Cluster.node) == next, "who comes back does not take the lead away")
        expectNoDoubles(cluster.journal)
      }
    }
  }
}
