import Fixture
import RedisFixture
import Testing

/// Work that an operator asks for, on real servers: a node alone, and a node of a cluster beside a Python node that is played here.
@Suite(.serialized) struct OnDemandTests {
  private typealias Answer = (ending: Fixture.ChildProcess.Ending, output: String, errors: String)

  private static let configuration: [String: JSON] = [
    "service_poller_workers": 2, "service_poller_frequency": 300, "service_poller_down_retry": 60, "service_discovery_enabled": false,
    "service_ping_enabled": false,
  ]
  // A Python node's uuid is of version 1, one of ours of version 8.
  private static let python = "py-dd3b1a02-1b2c-11ee-9f40-5a6b7c8d9e0f-Poller_0-1"
  private static let sibling = "8f0e7c1a-1b2c-8d3e-9f40-5a6b7c8d9e0f"

  /// Nothing is due, so whatever runs was asked for.
  private func prepare(_ scene: Scene) throws {
    try scene.server.addDevices(8, lastPolled: "NOW()")
    try scene.server.query("UPDATE devices SET poller_group = 9 WHERE device_id = 3; UPDATE devices SET disabled = 1 WHERE device_id = 5")
    try scene.node.behave("4", "down=1 sleep=0")
    try scene.node.start()
    try see("a node that works") {
      let answer = try scene.node.command("poll", "99")
      return answer.output == "poller 99: no such device\n" && answer.ending == .exited(1)
    }
  }

  private func see(_ what: String, _ condition: () throws -> Bool) throws {
    guard eventually(within: .seconds(20), { (try? condition()) ?? false }) else { throw FixtureError("not seen: \(what)") }
  }

  private func expect(_ answer: Answer, _ code: Int32, _ lines: String...) {
    #expect(answer.ending == .exited(code), "\(answer)")
    let said = answer.output.split(separator: "\n")
    #expect(said.count == lines.count, "\(answer)")
    for (line, start) in zip(said, lines) { #expect(line.hasPrefix(start), "\(line)") }
  }

  @Test func aNodeAlonePollsWhatIsAskedForAtOnceAndSaysWhatItCannot() throws {
    try Scene.play(Self.configuration, sleep: "3") { scene in
      let node = scene.node
      try prepare(scene)
      expect(try node.command("poll", "1", "2", "6"), 0, "poller 1: queued first", "poller 2: queued first", "poller 6: queued first")
      try see("two scripts") { node.journal.runs("poller").count == 2 }
      // Two slots: the third waits, and asking again finds it waiting.
      let again = try node.command("poll", "1", "6")
      #expect(again.ending == .exited(0) && again.output.contains("poller 6: was waiting, now first"), "\(again)")
      #expect(again.output.contains("poller 1: running since "), "\(again)")
      let locks = try node.command("locks")
      #expect(locks.ending == .exited(0) && locks.output.split(separator: "\n").count { $0.contains("  running  ") } == 2, "\(locks)")
      expect(
        try node.command("poll", "3", "5", "99"), 1, "poller 3: not queued: it is in poller group 9", "poller 5: disabled",
        "poller 99: no such device")
      let off = try node.command("discover", "1")
      #expect(off.ending == .exited(1) && off.errors.contains("discovery is disabled on this node"), "\(off)")
      try see("all three") { node.journal.runs("poller").count { $0.end != nil } == 3 }
      // A device that is down is left alone for a while; who asks wants it now all the same.
      expect(try node.command("poll", "4"), 0, "poller 4: queued first")
      try see("a hold") { try node.command("locks").output.contains("poller.device.4  held") }
      expect(try node.command("poll", "4"), 0, "poller 4: queued first")
      try see("a second attempt") { node.journal.runs("poller", "4").count == 2 }
      #expect(node.journal.overlaps("poller").isEmpty && node.journal.runs("poller").count == 5)
    }
  }

  @Test func inAClusterTheQueueIsSharedAndForeignLocksStay() throws {
    let redis = try RedisServer()
    try Scene.play(
      Self.configuration.merging(["distributed_poller": true]) { $1 },
      environment: ["REDIS_HOST": "127.0.0.1", "REDIS_PORT": "\(redis.port)"],
      sleep: "0"
    ) { scene in
      let node = scene.node
      try prepare(scene)
      expect(try node.command("poll", "1"), 0, "poller 1: queued first")
      try see("the poll") { node.journal.runs("poller", "1").count == 1 }

      // A Python node serves group 9 and takes by lowest score, so what is asked for comes before its backlog.
      _ = try redis.command("ZADD", "librenms.queue:poller:9", "1700000000", "77")
      expect(try node.command("poll", "3"), 0, "poller 3: queued first, for a node that serves poller group 9")
      expect(try node.command("poll", "3"), 0, "poller 3: was waiting, now first, for a node that serves poller group 9")
      #expect(try redis.command("ZPOPMIN", "librenms.queue:poller:9").split(separator: "\n").map(String.init) == ["3", "0"])

      _ = try redis.command("SET", "librenms.lock:poller.device.2", Self.python, "EX", "200")
      expect(
        try node.command("poll", "2"), 1, "poller 2: not queued: locked since about 10")
      #expect(try redis.command("GET", "librenms.lock:poller.device.2") == Self.python)
      #expect(try redis.command("ZSCORE", "librenms.queue:poller:0", "2").isEmpty)

      // A node of ours notes what runs in its slots: without the note its lock is a hold.
      let lock = "librenms.lock:poller.device.6"
      let owner = "n2-\(Self.sibling)-Poller_0-4"
      _ = try redis.command("SET", lock, owner, "EX", "200")
      expect(try node.command("poll", "6"), 1, "poller 6: not queued: its lock is kept after a run on n2 (owner \(owner)); free in 3 min")
      _ = try redis.command("HSET", "librenms.inflight:\(Self.sibling)", "poller:3", "0\t0\t\(lock)\t\(owner)\t6")
      expect(try node.command("poll", "6"), 0, "poller 6: running since about 10")

      let locks = try node.command("locks").output
      for name in ["dispatch.master", "poller.device.2", "poller.device.6"] { #expect(locks.contains("\(name)  "), "\(locks)") }

      // Our own hold gives way.
      expect(try node.command("poll", "4"), 0, "poller 4: queued first")
      try see("a hold") {
        !(try redis.command("GET", "librenms.lock:poller.device.4")).isEmpty && node.journal.runs("poller", "4").count == 1
      }
      try see("a second attempt") {
        let answer = try node.command("poll", "4")
        return answer.ending == .exited(0) && node.journal.runs("poller", "4").count >= 2
      }
      #expect(node.journal.runs("poller", "2").isEmpty && node.journal.runs("poller", "6").isEmpty)

      // What an earlier incarnation left gives way too, unless the server knows of a job under it.
      let master = try redis.command("GET", "librenms.lock:dispatch.master")
      let left = "librenms.lock:poller.device.7"
      let inFlight = "librenms.inflight:\(master.suffix(36))"
      _ = try redis.command("SET", left, master + "-Poller_0-2", "EX", "200")
      _ = try redis.command("HSET", inFlight, "poller:1", "0\t0\t\(left)\t\(master)-Poller_0-2\t7")
      expect(try node.command("poll", "7"), 0, "poller 7: running since about 10")
      #expect(try redis.command("GET", left) == master + "-Poller_0-2")
      _ = try redis.command("HDEL", inFlight, "poller:1")
      expect(try node.command("poll", "7"), 0, "poller 7: queued first")
      try see("the poll") { node.journal.runs("poller", "7").count == 1 }

      redis.kill()
      try see("the outage") {
        let answer = try node.command("poll", "1")
        return answer.ending == .exited(1) && answer.output.hasPrefix("poller 1: not queued: ")
      }
      #expect(try node.command("locks").ending == .exited(1))
    }
  }
}
