import Fixture
import Glibc
import RedisFixture
import Testing

extension ClusterTests {
  @Suite struct SentinelClusterTests {
    @Test func nodesFollowAFailoverWithin2SecondsOfTheAgreement() throws {
      let master = try RedisServer()
      let replica = try RedisServer(arguments: ["--replicaof", "127.0.0.1", "\(master.port)"])
      let sentinels = try (0..<3).map { _ in try RedisSentinel(service: "main", master: master) }
      let settled = try eventually(within: .seconds(40), every: .milliseconds(300)) {
        try sentinels.allSatisfy {
          let fields = try $0.command("SENTINEL", "MASTER", "main").split(separator: "\n")
          return value("num-other-sentinels", fields) == "2" && value("num-slaves", fields) == "1"
        } && replica.command("INFO", "replication").contains("master_link_status:up")
      }
      try #require(settled, "the sentinels know each other")
      try Cluster.play(
        nodes: 2, pollingOnly.with(["service_poller_workers": 16]), redis: replica,
        environment: [
          "REDIS_HOST": "nowhere.invalid", "REDIS_SENTINEL": sentinels.map { "127.0.0.1:\($0.port)" }.joined(separator: ", "),
          "REDIS_SENTINEL_SERVICE": "main",
        ], sleep: "5"
      ) { cluster in
        try cluster.database.addDevices(60, lastPolled: spreadOverPeriod)
        try cluster.startAndAwaitWork()
        pause(.seconds(8))
        let killed = wallClock()
        master.kill()
        let promoted = try eventually(within: .seconds(30), every: .milliseconds(20)) {
          try replica.command("ROLE").hasPrefix("master")
            && sentinels.allSatisfy {
              try $0.command("SENTINEL", "get-master-addr-by-name", "main").split(separator: "\n").last.map(String.init)
                == "\(replica.port)"
            }
        }
        #expect(promoted)
        let agreed = wallClock()
        let connected = eventually(within: .seconds(10)) {
          cluster.nodes.indices.allSatisfy { cluster.lines("127.0.0.1:\(replica.port)", of: $0) >= 3 }
        }
        let followed = wallClock()
        let first = cluster.firstStart(after: agreed, within: .seconds(12)) ?? .infinity
        progress(
          "the sentinels agreed \(seconds(agreed - killed)) after the death; all six processes followed after \(seconds(followed - agreed)) more, "
            + "the first script after \(seconds(first - agreed))")
        #expect(connected && followed - agreed < 3)
        #expect(first - agreed < 5)
        pause(.seconds(22))
        let journal = cluster.journal
        expectNoDoubles(journal)
        #expect(cluster.deadScripts().isEmpty, "no script died")
        let worst = journal.intervals("poller").max() ?? .infinity
        progress("longest interval \(seconds(worst))")
        #expect(worst < 26 + (first - killed))
      }
    }

    private func value(_ name: String, _ fields: [Substring]) -> String? {
      fields.firstIndex(of: Substring(name)).flatMap { fields.indices.contains($0 + 1) ? String(fields[$0 + 1]) : nil }
    }
  }
}
