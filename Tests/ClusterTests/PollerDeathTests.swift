import Fixture
import Glibc
import Testing

extension ClusterTests {
  @Suite struct PollerDeathTests {
    @Test func killedPollersLoseNothingAndTheirLocksLiveOn() throws {
      try Cluster.play(nodes: 2, pollingOnly.with(["service_poller_workers": 16]), sleep: "5") { cluster in
        try cluster.database.addDevices(80, lastPolled: spreadOverPeriod)
        // It outlives the pollers and the pauses before their successors, and the ttl of 20 s that its lock was taken with.
        let (kills, length) = fullLength ? (5, 85) : (2, 45)
        for node in cluster.nodes { try node.behave("33", "sleep=\(length)") }
        try cluster.startAndAwaitWork()
        #expect(cluster.firstStart("33", after: 0, within: .seconds(25)) != nil)
        // The next one is as short as all others.
        for node in cluster.nodes { try node.behave("33", nil) }
        let lock = "librenms.lock:poller.device.33"
        let owner = try cluster.redis.command("GET", lock)
        let index = try #require(Cluster.node(ofOwner: owner))
        let node = cluster.nodes[index]
        var child = try node.awaitChild("librenms-pollerd").pid
        var comebacks: [Double] = []
        for _ in 0..<kills {
          let noted = try Int(cluster.redis.command("HLEN", "librenms.inflight:\(owner.dropFirst(3).prefix(36))")) ?? 0
          #expect(noted > 0, "under load")
          let connected = cluster.lines("librenms-pollerd INFO: Redis connected", of: index)
          let moment = wallClock()
          kill(child, SIGKILL)
          child = try node.awaitChild("librenms-pollerd", within: .seconds(20), not: child).pid
          #expect(eventually(within: .seconds(10)) { cluster.lines("librenms-pollerd INFO: Redis connected", of: index) > connected })
          comebacks.append(wallClock() - moment)
          #expect(try cluster.redis.command("GET", lock) == owner, "an adopted job keeps its lock and its owner")
          pause(.seconds(3))
        }
        progress("a killed poller is back after \(comebacks.map(seconds).joined(separator: ", "))")

        // Renewal every third of the ttl; the ttl grows by it.
        var samples: [Int] = []
        for _ in 0..<44 {
          guard cluster.journal.runs("poller", "33").first?.end == nil else { break }
          samples.append(Int(try cluster.redis.command("PTTL", lock)) ?? 0)
          pause(.milliseconds(500))
        }
        let grew = zip(samples, samples.dropFirst()).contains { $1 > $0 }
        progress("ttl of the adopted lock between \(samples.min() ?? 0) and \(samples.max() ?? 0) ms")
        #expect(grew && (samples.min() ?? 0) > 20_000, "renewed while the job runs: \(samples)")
        #expect(
          try eventually(within: .seconds(70)) {
            try cluster.journal.runs("poller", "33").first?.end != nil && cluster.redis.command("GET", lock) != owner
          }, "and released at its end")
        pause(.seconds(10))

        let journal = cluster.journal
        expectNoDoubles(journal)
        #expect(cluster.deadScripts().isEmpty, "no script died with its poller")
        #expect(journal.ids("poller").count == 80)
        let worst = journal.pairs("poller").filter { $0.earlier.id != "33" }.map { $0.later.start - $0.earlier.start }.max() ?? .infinity
        let restarts = comebacks.reduce(0, +)
        progress("\(journal.runs("poller").count) polls, longest interval \(seconds(worst)), \(seconds(restarts)) without that poller")
        #expect(worst < 25 + restarts)
      }
    }
  }
}
