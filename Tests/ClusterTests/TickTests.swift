import Fixture
import Glibc
import Testing

extension ClusterTests {
  /// Alerting and billing of several nodes: one queue, each tick once, never two runs at once.
  @Suite struct TickTests {
    /// The nodes poll group 2, which the one queue of alerting and billing does not belong to.
    private let ticks = pollingOnly.with([
      "service_poller_enabled": false, "service_alerting_enabled": true, "service_alerting_frequency": 2, "distributed_poller_group": "2",
    ])

    private func start(_ cluster: Cluster, awaiting type: String) throws {
      try cluster.start()
      guard cluster.firstStart(type: type, after: 0, within: .seconds(40)) != nil else { throw FixtureError("no \(type) script") }
    }

    private func gaps(_ journal: Journal, _ type: String) -> [Double] { journal.pairs(type).map { $1.start - ($0.end ?? .infinity) } }

    private func commands(_ cluster: Cluster, _ node: Int) throws -> Double {
      guard case .array(let types) = try cluster.nodes[node].status()["types"] else { throw FixtureError("no types in status") }
      return types.first { $0["type"]?.text == "alerting" }?["redis_commands"]?.number ?? -1
    }

    @Test func aRunLongerThanItsTickIsFollowedAtOnceByOneNodeOnly() throws {
      try Cluster.play(nodes: 2, ticks) { cluster in
        for node in cluster.nodes { try node.behave("alerting", "sleep=3.1") }
        try start(cluster, awaiting: "alerting")
        pause(.seconds(1))
        let before = try (0...1).map { try commands(cluster, $0) }
        pause(.seconds(20))
        let perSecond = try zip(0...1, before).map { (try commands(cluster, $0) - $1) / 20 }
        let journal = cluster.journal
        let gaps = gaps(journal, "alerting").filter { $0.isFinite }
        progress("\(gaps.count) gaps of up to \(seconds(gaps.max() ?? 0)), \(perSecond) commands a second")
        #expect(journal.overlaps("alerting").isEmpty)
        #expect(gaps.count >= 5 && gaps.allSatisfy { $0 < 2 } && gaps.sorted()[gaps.count / 2] < 0.8, "\(gaps)")
        // A claim for the lead or a look at it, a take, the tick and its watching.
        #expect(perSecond.allSatisfy { $0 < 8 }, "a tick that waits is not asked for in a busy loop")
        #expect(try cluster.redis.command("GET", "librenms.lock:alerting.alerts").contains("-Alerting_0-1"))

        // The node whose run goes on takes nothing more; the other one sees within a second that the lock is free.
        let owner = try cluster.redis.command("GET", "librenms.lock:alerting.alerts")
        let stopping = try #require(Cluster.node(ofOwner: owner))
        cluster.nodes[stopping].dispatcher?.send(SIGTERM)
        #expect(cluster.nodes[stopping].dispatcher?.wait(.seconds(15)) == .exited(0))
        pause(.seconds(9))
        let later = cluster.journal
        #expect(later.overlaps("alerting").isEmpty)
        #expect(self.gaps(later, "alerting").filter { $0.isFinite }.allSatisfy { $0 < 3 }, "\(self.gaps(later, "alerting"))")
      }
    }

    @Test func eachTickRunsOnceWhoeverTakesIt() throws {
      let configuration = ticks.with([
        "service_billing_enabled": true, "service_billing_frequency": 3, "service_billing_calculate_frequency": 2,
        "service_loglevel": "DEBUG",
      ])
      try Cluster.play(nodes: 2, configuration, sleep: "0.3") { cluster in
        try start(cluster, awaiting: "billing")
        pause(.seconds(9))
        // Whoever leads dies, between two runs: the other one goes on where it was, and no tick is run twice.
        pause(.seconds(7.5 - wallClock().truncatingRemainder(dividingBy: 6)))
        let leader = try cluster.awaitLeader()
        cluster.nodes[leader].killSupervisor()
        pause(.seconds(13))
        // Each tick that was queued until then has had its time to be run.
        let end = wallClock()
        try cluster.stop()
        let (journal, logs) = (cluster.journal, cluster.nodes.map(\.errors))
        for (type, id, rule, period) in [
          ("alerting", "alerts", "alerting", 2), ("billing", "poll", "billing poll", 3), ("billing", "calculate", "billing calculate", 2),
        ] {
          let queued = QueuedTicks(rule, period: period, in: logs)
          // The lead is free for the 5 s of the master timeout at most, and the first turn comes a second later.
          let faults = queued.faults(journal.runs(type, id), until: end - 3, maySkip: 8 / period)
          #expect(faults.isEmpty, "\(faults)")
          #expect(queued.boundaries.count >= 16 / period, "\(queued.boundaries)")
          #expect(journal.overlaps(type).isEmpty)
        }
      }
    }
  }
}
