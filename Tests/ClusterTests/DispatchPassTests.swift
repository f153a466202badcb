import Core
import Fixture
import Glibc
import Redis
import RedisFixture
import Testing

extension ClusterTests {
  /// A leader of 20,000 devices and ten nodes that work them off and want the lead themselves: how long it takes to ask and to queue.
  @Suite struct DispatchPassTests {
    private static let devices = 20_000
    /// A third of a thousand is due each second, as of 100,000 devices with the usual period of 5 minutes.
    private static let period = 60

    /// One line of the leader's debug log, in milliseconds.
    private struct Pass {
      var due: Int
      var asked: Double
      var queued: Double
      var total: Double { asked + queued }

      init?(_ line: Substring) {
        guard let match = line.firstMatch(of: #/poll: (\d+) due, asked in ([0-9.]+) ms, queued in ([0-9.]+) ms/#),
          let due = Int(match.1), let asked = Double(match.2), let queued = Double(match.3)
        else { return nil }
        (self.due, self.asked, self.queued) = (due, asked, queued)
      }
    }

    @Test func aPassTakesUnder100MillisecondsAndTheLeadIsNeverLost() throws {
      let configuration = pollingOnly.with([
        "service_poller_frequency": .number(Double(Self.period)), "service_poller_enabled": false, "service_loglevel": "DEBUG",
      ])
      try Cluster.play(nodes: 1, configuration, leavesLocks: true) { cluster in
        try cluster.database.addDevices(Self.devices, lastPolled: "NOW() - INTERVAL (seq % \(Self.period)) SECOND")
        try cluster.database.query("ANALYZE TABLE devices")
        try cluster.start()
        #expect(try cluster.awaitLeader(within: .seconds(30)) == 0)
        let leader = try #require(cluster.leader)

        let loop = try EventLoop()
        var settings = RedisSettings()
        (settings.host, settings.port) = ("127.0.0.1", cluster.redis.port)
        let nodes = (1...10).map { SimulatedNode($0, redis: settings, loop: loop, period: .seconds(Self.period)) }
        var owners: [String: Int] = [:]
        var finished = 0
        func run(for time: Duration) throws {
          let end = MonotonicTime.now + time
          var (nextTurn, nextEnd) = (MonotonicTime.now, MonotonicTime.now)
          while MonotonicTime.now < end {
            try loop.turn(limit: .milliseconds(5))
            if MonotonicTime.now >= nextTurn {
              nextTurn = .now + .seconds(1)
              for node in nodes { node.turn() }
              nodes[0].link.send(["GET", Cluster.masterLock]) { result in
                if case .success(let reply) = result { owners[reply.text ?? "nobody", default: 0] += 1 }
              }
            }
            guard MonotonicTime.now >= nextEnd else { continue }
            nextEnd = .now + .milliseconds(150)
            finished += try Self.finish(nodes, cluster.database)
          }
        }

        // What became due while it started, and what was never in step.
        try run(for: .seconds(6))
        let seen = Self.passes(cluster).count
        let before = finished
        try run(for: .seconds(20))
        let passes = Array(Self.passes(cluster).dropFirst(seen))
        let polls = finished - before
        try #require(passes.count >= 10, "a pass each second")
        let times = passes.map(\.total).sorted()
        let due = passes.map(\.due).sorted()
        progress(
          "\(passes.count) passes with \(due[due.count / 2]) due (median), \(polls) polls by ten nodes: "
            + "median \(Self.text(times[times.count / 2])), longest \(Self.text(times.last ?? 0))")
        #expect(due[due.count / 2] > Self.devices / Self.period / 2, "there is something to queue")
        #expect(polls > Self.devices / Self.period * 20 * 3 / 4, "and it is worked off")
        #expect(times[times.count / 2] < 100)
        #expect(times.allSatisfy { $0 < 300 }, "\(times)")

        // As after an outage of the database: all at once. It may take longer, but it must not cost the lead.
        try cluster.database.query("UPDATE devices SET last_polled = NOW() - INTERVAL 1 DAY")
        let ordinary = Self.passes(cluster).count
        try run(for: .seconds(5))
        let all = Self.passes(cluster).dropFirst(ordinary).max { $0.due < $1.due }
        let most = try #require(all)
        progress("all at once: \(most.due) due, asked in \(Self.text(most.asked)), queued in \(Self.text(most.queued))")
        #expect(most.due > Self.devices / 2)
        #expect(owners.keys.sorted() == [leader], "\(owners)")
      }
    }

    /// Scripts that cost nothing, but note their poll as real ones do.
    private static func finish(_ nodes: [SimulatedNode], _ database: MariaDBServer) throws -> Int {
      let ids = nodes.flatMap { $0.running.map(\.item.payload) }
      guard !ids.isEmpty else { return 0 }
      try database.query(
        "UPDATE devices SET last_polled = NOW(), last_polled_timetaken = 1 WHERE device_id IN (\(ids.joined(separator: ",")))")
      for node in nodes { node.finish() }
      return ids.count
    }

    private static func passes(_ cluster: Cluster) -> [Pass] {
      cluster.nodes[0].errors.split(separator: "\n").compactMap { Pass($0) }
    }

    private static func text(_ milliseconds: Double) -> String { "\(Int(milliseconds.rounded())) ms" }
  }
}
