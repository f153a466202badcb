import Fixture
import Glibc
import RedisFixture
import Testing

extension ClusterTests {
  /// A node whose servers come and go, and whose clock is set meanwhile.
  @Suite struct UnsteadyTests {
    /// Where the wall clock is set to, one after the other; it ends where a wait for a wall clock time would last longest.
    private static let steps: [(name: String, offset: Double)] = [
      ("an hour ahead", 3600), ("an hour back", -3600), ("ten days ahead", 864_000), ("ten days back", -864_000),
      ("2040", 2_208_988_800 - wallClock()), ("1970", 1000 - wallClock()),
    ]

    @Test func whateverTheClockShowsNobodyWaitsForItAndWhatFlapsIsCounted() throws {
      let directory = try TemporaryDirectory()
      let clock = directory.path + "/clock"
      try set(clock, to: 0)
      let preloaded = ["LD_PRELOAD": SampleNode.buildDirectory + "/libClockStep.so", "CLOCK_STEP_FILE": clock]
      let busy = pollingOnly.with(["service_poller_workers": 40])
      try Cluster.play(nodes: 1, busy, environment: preloaded, sleep: "0.2", leavesLocks: true) { cluster in
        try cluster.database.addDevices(60, lastPolled: spreadOverPeriod)
        try cluster.startAndAwaitWork()
        try expectSteadyUnderSteps(cluster, clock)
        try expectFewLines(cluster)
      }
    }

    private func expectSteadyUnderSteps(_ cluster: Cluster, _ clock: String) throws {
      for (name, database, redis) in [("database", true, false), ("Redis", false, true), ("both", true, true)] {
        if database { cluster.database.kill() }
        if redis { cluster.redis.kill() }
        // Until it is noticed: from then on everybody waits for the next try.
        let words = database ? "database away" : "Redis away"
        let before = cluster.lines(words, of: 0)
        eventually(within: .seconds(4), every: .milliseconds(20)) { cluster.lines(words, of: 0) > before }
        for step in Self.steps {
          try set(clock, to: step.offset)
          pause(.milliseconds(350))
        }
        if database { try cluster.database.start() }
        if redis { try cluster.redis.start() }
        let back = wallClock()
        try cluster.database.addDevices(1)
        let id = try #require(try cluster.database.query("SELECT MAX(device_id) FROM devices").first?.first)
        let first = cluster.firstStart(id, after: back, within: .seconds(12)) ?? .infinity
        progress("\(name) away, the clock now in 1970: work again after \(seconds(first - back))")
        #expect(first - back < (redis ? 8 : 4), "\(name)")
        try set(clock, to: 0)
      }
    }

    /// Connections are cut every 1.5 s, and for every second time nobody gets a new one.
    private func expectFewLines(_ cluster: Cluster) throws {
      pause(.seconds(2))
      let processes = cluster.children(of: 0)
      let said = cluster.nodes[0].errors.split(separator: "\n").count
      for round in 0..<10 {
        let isAway = round.isMultiple(of: 2)
        for host in ["%", "localhost"] {
          try cluster.database.administer("ALTER USER librenms@'\(host)' ACCOUNT \(isAway ? "LOCK" : "UNLOCK")")
        }
        try cluster.database.administer("KILL USER librenms")
        try cluster.redis.command("CLIENT", "KILL", "TYPE", "normal")
        pause(.milliseconds(1500))
      }
      let lines = cluster.nodes[0].errors.split(separator: "\n").dropFirst(said).filter { $0.contains("librenms-") }
      progress("10 cuts in 15 s: \(lines.count) lines of \(processes) processes")
      for words in [
        "database away", "database connected", "Redis away", "Redis connected", "dispatches for the cluster", "back in the queue",
      ] {
        let own = lines.filter { $0.contains(words) }
        // Two each way, and one that says that it is counted from now on.
        #expect(own.count <= 3 * processes, "\(words): \(own.count) lines")
      }
      #expect(lines.count <= 12 * processes, "\(lines.joined(separator: "\n"))")
      let back = wallClock()
      #expect((cluster.firstStart(after: back, within: .seconds(6)) ?? .infinity) - back < 5, "and the work goes on")
    }

    /// Seconds that are added to the wall clock of the node's processes.
    private func set(_ clock: String, to offset: Double) throws {
      let file = open(clock, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
      guard file >= 0 else { throw FixtureError("open \(clock): errno \(errno)") }
      defer { close(file) }
      var nanoseconds = Int64(offset * 1e9)
      guard write(file, &nanoseconds, 8) == 8 else { throw FixtureError("write \(clock): errno \(errno)") }
    }
  }
}
