import Fixture
import Glibc
import Testing

extension ClusterTests {
  /// Three nodes, and everything happens to them. Nobody is polled twice, and nobody waits longer than the outage itself.
  @Suite struct LongRunTests {
    /// Time in which polls may be late, in seconds of the wall clock, and why.
    private struct Outage {
      var name: String
      var from: Double
      var to: Double
    }

    private let period = 20.0
    /// What a new leader needs: the old one's lock lapses after 5 s, then its first turn comes.
    private let masterAway = 5.0 + 2.0

    @Test func everyDeviceIsPolledInTimeWhateverHappensToNodesAndRedis() throws {
      let devices = fullLength ? 600 : 150
      let rest: Duration = .seconds(fullLength ? 45 : 14)
      var outages: [Outage] = []
      func outage(_ name: String, atLeast shortest: Double, _ body: () throws -> Void) rethrows {
        let from = wallClock()
        try body()
        outages.append(Outage(name: name, from: from, to: max(from + shortest, wallClock() + 2)))
        progress("\(name): \(seconds(wallClock() - from))")
        pause(rest)
      }

      try Cluster.play(nodes: 3, sleep: "1") { cluster in
        try cluster.database.addDevices(devices, lastPolled: spreadOverPeriod)
        try cluster.startAndAwaitWork()
        // Three nodes start at once, on two cores, and the first round is not in step yet.
        pause(.seconds(24))
        let begin = wallClock()

        for round in 1...2 {
          let leader = try cluster.awaitLeader()
          try outage("n\(leader + 1), the leader, is killed (\(round))", atLeast: masterAway) {
            cluster.nodes[leader].killSupervisor()
            pause(.seconds(2))
            let before = cluster.lines("Redis connected", of: leader)
            try cluster.nodes[leader].start()
            #expect(eventually(within: .seconds(20)) { cluster.lines("Redis connected", of: leader) >= before + 3 }, "it comes back")
          }
        }

        let stopped = try cluster.awaitLeader()
        let processes = cluster.processes(of: stopped)
        try outage("n\(stopped + 1), the leader, is stopped and continues", atLeast: masterAway) {
          for process in processes { kill(process.pid, SIGSTOP) }
          let moment = wallClock()
          let new = try cluster.awaitLeader(not: stopped)
          progress("n\(new + 1) leads after \(seconds(wallClock() - moment))")
          pause(.seconds(max(0, 9 - (wallClock() - moment))))
          for process in processes { kill(process.pid, SIGCONT) }
          pause(.seconds(3))
          #expect(cluster.leader.flatMap(Cluster.node) == new, "who was stopped has lost the lead")
        }

        // Whoever leads waits 3 s before it fills an empty server.
        try outage("Redis is killed and comes back empty", atLeast: 7) {
          cluster.redis.kill()
          pause(.seconds(2))
          try cluster.redis.start()
          pause(.seconds(3))
        }

        let frozen = (try cluster.awaitLeader() + 1) % 3
        let everything = cluster.processes(of: frozen, withScripts: true)
        outage("n\(frozen + 1) is frozen with its scripts", atLeast: 0) {
          for process in everything { kill(process.pid, SIGSTOP) }
          pause(.seconds(fullLength ? 30 : 9))
          for process in everything { kill(process.pid, SIGCONT) }
          pause(.seconds(3))
        }
        pause(.seconds(fullLength ? 20 : 8))

        let end = wallClock()
        let journal = cluster.journal
        expectNoDoubles(journal)
        try #require(journal.ids("poller").count == devices)
        let died = cluster.deadScripts()
        #expect(died.isEmpty, "scripts died: \(died.prefix(20))")
        judge(journal, devices: devices, from: begin, to: end, outages)
      }
    }

    /// Each interval may be longer than 1.25 periods by what outages overlap it, and by nothing else.
    private func judge(_ journal: Journal, devices: Int, from begin: Double, to end: Double, _ outages: [Outage]) {
      var intervals: [Double] = []
      // Less what outages overlap of them.
      var excess = -Double.infinity
      var late: [String] = []
      var worst: [String: Double] = [:]
      for (id, runs) in Dictionary(grouping: journal.runs("poller"), by: \.id) {
        // What was not polled again by the end counts up to there.
        for (from, to) in zip(runs.map(\.start), runs.dropFirst().map(\.start) + [end]) where from >= begin {
          let inside = outages.filter { $0.from < to && from < $0.to }
          let excuse = inside.reduce(0) { $0 + min(to, $1.to) - max(from, $1.from) }
          if to != end { intervals.append(to - from) }
          excess = max(excess, to - from - excuse)
          for outage in inside { worst[outage.name] = max(worst[outage.name] ?? 0, to - from) }
          if to - from > period * 1.25 + excuse {
            late.append("\(id): \(seconds(to - from)) with \(seconds(excuse)) of outage, \(inside.map(\.name))")
          }
        }
      }
      guard !intervals.isEmpty else { return #expect(Bool(false), "no device was polled twice") }
      intervals.sort()
      progress("\(devices) devices, \(journal.runs("poller").count) polls, \(intervals.count) intervals judged:")
      progress(
        "median \(seconds(intervals[intervals.count / 2])), shortest \(seconds(intervals[0])), longest \(seconds(intervals[intervals.count - 1])), "
          + "longest less its outages \(seconds(excess))")
      for outage in outages { progress("\(outage.name): longest interval across it \(seconds(worst[outage.name] ?? 0))") }
      #expect(late.isEmpty, "\(late.count) intervals too long: \(late.prefix(5))")
      #expect(intervals.count > devices * 3, "there is something to judge")
    }
  }
}
