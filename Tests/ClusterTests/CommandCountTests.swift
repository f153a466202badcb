import Fixture
import Testing

extension ClusterTests {
  /// What a job costs the Redis that a whole cluster shares.
  @Suite struct CommandCountTests {
    private struct Counts {
      var done: Double
      var commands: Double

      init(_ node: SampleNode) throws {
        guard case .array(let types) = try node.status()["types"], let poller = types.first(where: { $0["type"]?.text == "poller" }),
          let done = poller["done"]?.number, let commands = poller["redis_commands"]?.number
        else { throw FixtureError("status --json does not tell how many jobs are done") }
        (self.done, self.commands) = (done, commands)
      }
    }

    /// Commands per job of the poller over some seconds, its share in mastership, renewals and reports included.
    private func measure(_ name: String, _ cluster: Cluster, atLeast jobs: Double, for time: Duration) throws -> Double {
      let before = try Counts(cluster.nodes[0])
      pause(time)
      let after = try Counts(cluster.nodes[0])
      let done = after.done - before.done
      try #require(done >= jobs, "\(done) jobs are too few to judge")
      let perJob = (after.commands - before.commands) / done
      progress("\(name): \(done) jobs, \((perJob * 100).rounded() / 100) Redis commands per job")
      return perJob
    }

    @Test func aSaturatedNodeNeedsAtMost3PerJob() throws {
      try Cluster.play(nodes: 1, pollingOnly.with(["service_poller_frequency": 1]), sleep: "0", leavesLocks: true) { cluster in
        try cluster.database.addDevices(2000)
        try cluster.nodes[0].behave("default", "sleep=0 no_write=1 no_journal=1")
        try cluster.start()
        _ = try cluster.awaitLeader(within: .seconds(30))
        pause(.seconds(4))
        let perJob = try measure("saturated", cluster, atLeast: 300, for: .seconds(8))
        #expect(perJob <= 3)
      }
    }

    @Test func aNodeWithFreeSlotsNeedsAtMost3PerJob() throws {
      try Cluster.play(nodes: 1, pollingOnly.with(["service_poller_frequency": 10]), sleep: "0") { cluster in
        try cluster.database.addDevices(300, lastPolled: "NOW() - INTERVAL (seq % 10) SECOND")
        try cluster.startAndAwaitWork()
        pause(.seconds(10))
        let perJob = try measure("with free slots", cluster, atLeast: 150, for: .seconds(10))
        #expect(perJob <= 3)
      }
    }
  }
}
