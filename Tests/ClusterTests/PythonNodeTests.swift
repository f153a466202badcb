import Fixture
import Glibc
import Testing

/// This test is a Python node: it speaks the contract's commands and nothing else.
extension ClusterTests {
  @Suite struct PythonNodeTests {
    private let queue = "librenms.queue:poller:0"
    private let me = "py-0c6d1a6e-2c0b-11ef-8f0e-0242ac120002"

    @Test func itTakesAndLocksWhatOursQueued() throws {
      // Ours leads and polls nothing itself.
      try Cluster.play(nodes: 1, pollingOnly.with(["service_poller_enabled": false])) { cluster in
        try cluster.database.addDevices(20)
        try cluster.redis.command("SET", queue, "of another type")
        try cluster.start()
        let filled = try eventually(within: .seconds(30)) {
          try cluster.redis.command("TYPE", queue) == "zset" && cluster.redis.command("ZCARD", queue) == "20"
        }
        #expect(filled, "the queue is filled, and a key of another type in its place is deleted")
        guard filled else { return }
        let members = try cluster.redis.command("ZRANGE", queue, "0", "-1", "WITHSCORES").split(separator: "\n")
        let ids = stride(from: 0, to: members.count, by: 2).compactMap { Int(members[$0]) }
        let scores = stride(from: 1, to: members.count, by: 2).compactMap { Double(members[$0]) }
        #expect(ids.sorted() == Array(1...20), "device ids in decimal")
        #expect(scores.allSatisfy { abs($0 - wallClock()) < 60 }, "scores are unix time: \(scores)")

        let owner = "\(me)-Poller_0-1"
        let taken = try cluster.redis.command("ZPOPMIN", queue).split(separator: "\n").map(String.init)
        let id = try #require(taken.first)
        #expect(try cluster.redis.command("SET", "librenms.lock:poller.device.\(id)", owner, "EX", "300", "NX") == "OK")
        let unlocked = try #require(try cluster.redis.command("ZPOPMIN", queue).split(separator: "\n").first)
        let back = try eventually(within: .seconds(4)) { try !cluster.redis.command("ZSCORE", queue, String(unlocked)).isEmpty }
        #expect(back, "due and not locked: queued again within a second or two")
        #expect(try cluster.redis.command("ZSCORE", queue, id).isEmpty, "due and locked: not queued")
        try cluster.redis.command("DEL", "librenms.lock:poller.device.\(id)")
        #expect(try eventually(within: .seconds(4)) { try !cluster.redis.command("ZSCORE", queue, id).isEmpty })
      }
    }

    @Test func oursTakesWhatItQueuedAndLocksItByTheContract() throws {
      try Cluster.play(nodes: 1, pollingOnly.with(["service_poller_workers": 1]), sleep: "2") { cluster in
        try cluster.database.addDevices(12)
        #expect(try cluster.redis.command("SET", Cluster.masterLock, me, "EX", "600", "NX") == "OK")
        try cluster.start()
        _ = try cluster.nodes[0].awaitChild("librenms-pollerd")
        #expect(eventually(within: .seconds(20)) { cluster.lines("Redis connected", of: 0) > 0 })
        pause(.seconds(4))
        #expect(try cluster.keys("librenms.queue:*").isEmpty, "the master lock is another's: ours queues nothing")
        #expect(cluster.journal.runs("poller").isEmpty)
        #expect(cluster.leader == me)

        // 1 keeps the only worker busy; 9 comes last with score 0 and is served first; 3 is locked by another and dropped.
        try cluster.redis.command("SET", "librenms.lock:poller.device.3", "\(me)-Poller_0-2", "EX", "300", "NX")
        var moment = wallClock()
        try cluster.redis.command("ZADD", queue, "NX", "\(moment)", "1")
        let first = cluster.firstStart("1", after: moment, within: .seconds(3)) ?? .infinity
        progress("what a Python node queued starts after \(seconds(first - moment))")
        #expect(first - moment < 2)
        for id in ["2", "3", "4"] { try cluster.redis.command("ZADD", queue, "NX", "\(wallClock())", id) }
        try cluster.redis.command("ZADD", queue, "0", "9")

        let lock = try cluster.redis.command("GET", "librenms.lock:poller.device.1")
        let expected = #/n1-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}-Poller_0-1/#
        #expect(lock.wholeMatch(of: expected) != nil, "an owner as the contract has it: \(lock)")
        let ttl = try #require(Int(try cluster.redis.command("PTTL", "librenms.lock:poller.device.1")))
        progress("\(lock), ttl \(ttl) ms")
        #expect(ttl > 40_000 && ttl <= 60_000, "the type's frequency, but at least 60 s while the job runs")
        #expect(eventually(within: .seconds(15)) { cluster.journal.runs("poller").count == 4 })
        #expect(cluster.journal.runs("poller").map(\.id) == ["1", "9", "2", "4"], "score 0 first, then by time; what is locked is dropped")
        #expect(try cluster.redis.command("EXISTS", queue) == "0")
        #expect(try eventually(within: .seconds(5)) { try cluster.keys("librenms.lock:poller.*") == ["librenms.lock:poller.device.3"] })

        moment = wallClock()
        try cluster.redis.command("DEL", Cluster.masterLock)
        #expect(try cluster.awaitLeader(within: .seconds(3)) == 0, "what the other gives back is taken")
        let masterTtl = try (0..<20).map { _ in
          pause(.milliseconds(150))
          return Int(try cluster.redis.command("PTTL", Cluster.masterLock)) ?? 0
        }
        progress("the master's ttl stays between \(masterTtl.min() ?? 0) and \(masterTtl.max() ?? 0) ms")
        #expect(masterTtl.allSatisfy { $0 > 2500 && $0 <= 5000 }, "renewed each second")
        #expect(cluster.firstStart(after: moment, within: .seconds(3)) != nil)
        pause(.seconds(4))
        #expect(cluster.journal.runs("poller", "3").isEmpty, "due, but locked by another")
        try cluster.redis.command("DEL", "librenms.lock:poller.device.3")
        #expect(cluster.firstStart("3", after: moment, within: .seconds(30)) != nil)
      }
    }

    @Test func pingIsAnEmptyMemberWithALockForItsGroup() throws {
      try Cluster.play(
        nodes: 1, pollingOnly.with(["service_ping_enabled": true, "service_ping_frequency": 3600, "service_poller_enabled": false]),
        sleep: "2"
      ) { cluster in
        #expect(try cluster.redis.command("SET", Cluster.masterLock, me, "EX", "600", "NX") == "OK")
        try cluster.start()
        #expect(eventually(within: .seconds(20)) { cluster.lines("Redis connected", of: 0) > 2 })
        let moment = wallClock()
        try cluster.redis.command("ZADD", "librenms.queue:ping:0", "NX", "\(moment)", "")
        #expect(cluster.firstStart(type: "ping", after: moment, within: .seconds(3)) != nil)
        let owner = try cluster.redis.command("GET", "librenms.lock:ping.group.0")
        #expect(owner.hasPrefix("n1-") && owner.hasSuffix("-Ping_0-1"), "\(owner)")
        #expect(try eventually(within: .seconds(5)) { try cluster.redis.command("EXISTS", "librenms.lock:ping.group.0") == "0" })
        try cluster.redis.command("DEL", Cluster.masterLock)
      }
    }
  }
}
