import Fixture
import Glibc
import RedisFixture
import Testing

extension ClusterTests {
  @Suite struct OutageTests {
    /// What happens to Redis, and what is to be seen of it.
    private struct Outage {
      var name: String
      /// An outage is said once each way; a lost memory alone is none.
      var isSaid = true
      /// A server that forgot everything: its leader waits 3 s before it fills queues.
      var forgets = false
      var begin: (RedisServer) throws -> Void
      var lasts: Duration = .seconds(8)
      var end: (RedisServer) throws -> Void = { _ in }
    }

    private static var outages: [Outage] {
      // What a server refuses is an outage like its absence to every part of a node but the connection, which RedisTests try.
      let refusals = [
        Outage(
          name: "out of memory", begin: { try $0.command("CONFIG", "SET", "maxmemory", "1") },
          end: { try $0.command("CONFIG", "SET", "maxmemory", "0") }),
        Outage(
          name: "a read-only replica", forgets: false,
          begin: { try $0.command("REPLICAOF", "127.0.0.1", "\(try RedisServer.freePort())") },
          end: { try $0.command("REPLICAOF", "NO", "ONE") }),
      ]
      return [
        Outage(name: "killed and empty again", forgets: true, begin: { $0.kill() }, lasts: .seconds(4), end: { try $0.start() }),
        Outage(name: "stopped for 8 s", begin: { try $0.freeze() }, end: { try $0.thaw() }),
        Outage(name: "flushed", isSaid: false, forgets: true, begin: { try $0.command("FLUSHALL") }, lasts: .zero),
      ] + (fullLength ? refusals : [])
    }

    @Test func scriptsKeepTheirDevicesAndWorkResumesWhateverHappensToRedis() throws {
      // Of a device's 20 s its script takes 6: at every moment some run. Nothing ever has to wait for a slot.
      try Cluster.play(nodes: 2, pollingOnly.with(["service_poller_workers": 40]), sleep: "6") { cluster in
        try cluster.database.addDevices(60, lastPolled: spreadOverPeriod)
        // These are due again while they still run: only their lock keeps them from being polled twice.
        for id in ["7", "27", "47"] { for node in cluster.nodes { try node.behave(id, "sleep=24") } }
        try cluster.startAndAwaitWork()
        pause(.seconds(fullLength ? 15 : 8))
        let processes = cluster.nodes.indices.reduce(0) { $0 + cluster.children(of: $1) }
        for (index, outage) in Self.outages.enumerated() {
          let away = lines("Redis away", cluster)
          let connected = lines("Redis connected", cluster)
          let running = cluster.journal.running("poller", at: wallClock())
          try outage.begin(cluster.redis)
          pause(outage.lasts)
          // Due from now on: what the others do follows from outages before this one.
          try cluster.database.addDevices(1)
          let id = try #require(try cluster.database.query("SELECT MAX(device_id) FROM devices").first?.first)
          try outage.end(cluster.redis)
          let back = wallClock()
          let first = cluster.firstStart(id, after: back, within: .seconds(12)) ?? .infinity
          pause(.seconds(fullLength ? 8 : 5))
          let (less, more) = (lines("Redis away", cluster) - away, lines("Redis connected", cluster) - connected)
          progress(
            "\(outage.name): work again after \(seconds(first - back)), away \(less), connected \(more) lines of \(processes) processes")
          #expect(first - back < (outage.forgets ? 7 : 4), "\(outage.name)")
          // Of outages that follow each other at once each process says two, then it counts.
          let isEachSaid = outage.isSaid && index < 2 ? less == processes : less <= (outage.isSaid ? processes : 0)
          #expect(isEachSaid && more <= processes, "\(outage.name): one line each way per process")
          #expect(!running.isEmpty)
        }
        pause(.seconds(fullLength ? 20 : 12))
        #expect(cluster.deadScripts().isEmpty, "no script died")
        let journal = cluster.journal
        expectNoDoubles(journal)
        #expect(journal.ids("poller").count == 60 + Self.outages.count)
        #expect(cluster.firstStart(after: wallClock(), within: .seconds(15)) != nil, "and goes on")
      }
    }

    private func lines(_ words: String, _ cluster: Cluster) -> Int {
      cluster.nodes.indices.reduce(0) { $0 + cluster.lines(words, of: $1) }
    }
  }
}
