import Core
import RedisFixture
import Testing

@testable import Redis

@Suite(.serialized) struct SentinelTests {
  private struct Cluster {
    let master: RedisServer
    let replica: RedisServer
    let sentinels: [RedisSentinel]
    let service = "main"

    init(password: String = "", sentinelPassword: String = "", downAfter: Int = 1000) throws {
      master = try RedisServer(password: password, arguments: password.isEmpty ? [] : ["--masterauth", password])
      replica = try RedisServer(
        password: password,
        arguments: ["--replicaof", "127.0.0.1", String(master.port)] + (password.isEmpty ? [] : ["--masterauth", password]))
      let master = master
      sentinels = try (0..<3).map { _ in
        try RedisSentinel(service: "main", master: master, downAfter: downAfter, password: sentinelPassword)
      }
    }

    var settings: RedisSettings {
      var settings = master.settings
      settings.host = "nowhere.invalid"
      settings.sentinels = sentinels.map { "127.0.0.1:\($0.port)" }.joined(separator: ", ")
      settings.sentinelService = service
      settings.sentinelPassword = sentinels[0].password
      return settings
    }

    /// Until each Sentinel knows the other two and the replica; a failover needs that.
    func settle(_ scene: LinkScene) throws -> Bool {
      for _ in 0..<60 {
        let ready = try sentinels.allSatisfy {
          let fields = try $0.command("SENTINEL", "MASTER", service).split(separator: "\n")
          return fields.contains("num-other-sentinels") && value("num-other-sentinels", fields) == "2" && value("num-slaves", fields) == "1"
        }
        if ready, try replica.command("INFO", "replication").contains("master_link_status:up") { return true }
        scene.test.turn(for: .milliseconds(500))
      }
      return false
    }

    private func value(_ name: String, _ fields: [Substring]) -> String? {
      fields.firstIndex(of: Substring(name)).flatMap { fields.indices.contains($0 + 1) ? String(fields[$0 + 1]) : nil }
    }

    func agreedMaster() throws -> Set<String> {
      Set(try sentinels.map { try $0.command("SENTINEL", "get-master-addr-by-name", service) })
    }
  }

  @Test(arguments: [false, true]) func theLinkFollowsAFailover(withPasswords: Bool) throws {
    let cluster = try Cluster(password: withPasswords ? "data-pw" : "", sentinelPassword: withPasswords ? "watch-pw" : "")
    let scene = try LinkScene(cluster.settings, tracking: true)
    #expect(scene.isUp())
    #expect(scene.link.address == .tcp(host: "127.0.0.1", port: cluster.master.port))
    #expect(try cluster.settle(scene))
    #expect(scene.ask("SET", "x", "before") == .success(.text("OK")))
    scene.test.turn(for: .milliseconds(300))
    cluster.master.kill()
    #expect(scene.isDown())
    let goal = "127.0.0.1\n\(cluster.replica.port)"
    var agreed: ContinuousClock.Instant?
    var risen: ContinuousClock.Instant?
    let end = ContinuousClock.now + .seconds(30)
    while agreed == nil || risen == nil, ContinuousClock.now < end {
      if agreed == nil, try cluster.agreedMaster() == [goal] { agreed = .now }
      if scene.test.turn(until: .milliseconds(20), { scene.link.isUp }), risen == nil { risen = .now }
    }
    let late = try #require(risen) - #require(agreed)
    #expect(late < .seconds(2), "\(late)")
    #expect(scene.link.address == .tcp(host: "127.0.0.1", port: cluster.replica.port))
    #expect(scene.ask("SET", "x", "after") == .success(.text("OK")))
    #expect(scene.test.turn { scene.link.isTracking })
    #expect(scene.lines.all.count == 3, "\(scene.lines.all)")
    #expect(scene.lines.all.allSatisfy { !$0.contains("data-pw") && !$0.contains("watch-pw") })
  }

  @Test func aFrozenMasterIsLeft() throws {
    let cluster = try Cluster()
    let scene = try LinkScene(cluster.settings) { $0.command = .seconds(1) }
    #expect(scene.isUp())
    #expect(try cluster.settle(scene))
    try cluster.master.freeze()
    #expect(scene.ask("PING")?.error?.kind == .lost)
    #expect(scene.isUp(within: .seconds(20)))
    #expect(scene.link.address == .tcp(host: "127.0.0.1", port: cluster.replica.port))
    try cluster.master.thaw()
    scene.test.turn(for: .seconds(1))
    #expect(scene.link.address == .tcp(host: "127.0.0.1", port: cluster.replica.port))
    #expect(scene.ask("SET", "x", 1) == .success(.text("OK")))
  }

  @Test func deadAndIgnorantSentinelsAreSkipped() throws {
    let cluster = try Cluster()
    cluster.sentinels[0].kill()
    let other = try RedisServer()
    let stranger = try RedisSentinel(service: "something-else", master: other)
    var settings = cluster.settings
    settings.sentinels = "127.0.0.1:\(stranger.port)," + settings.sentinels
    let scene = try LinkScene(settings)
    #expect(scene.isUp())
    #expect(scene.link.address == .tcp(host: "127.0.0.1", port: cluster.master.port))
  }

  @Test func whatIsWrongIsSaid() throws {
    let server = try RedisServer()
    let sentinel = try RedisSentinel(service: "main", master: server, password: "watch-pw")
    func reason(_ change: (inout RedisSettings) -> Void) throws -> RedisError? {
      var settings = server.settings
      settings.sentinels = "127.0.0.1:\(sentinel.port)"
      settings.sentinelService = "main"
      settings.sentinelPassword = "watch-pw"
      change(&settings)
      let scene = try LinkScene(settings)
      scene.test.turn { scene.link.reason != nil || scene.link.isUp }
      return scene.link.reason
    }
    #expect(try reason { _ in } == nil)
    let unknown = try reason { $0.sentinelService = "mian" }
    #expect(unknown?.text.contains("mian") == true && unknown?.text.contains("REDIS_SENTINEL_SERVICE") == true)
    #expect(try reason { $0.sentinelPassword = "" }?.kind == .unauthorized)
    let wrong = try reason { $0.sentinelPassword = "wr0ng" }
    #expect(wrong?.kind == .unauthorized && wrong?.text.contains("Sentinel") == true && wrong?.text.contains("wr0ng") == false)
    server.kill()
    #expect(try reason { _ in }?.text.contains("master of main") == true)
    sentinel.kill()
    #expect(try reason { _ in }?.text.contains("refused") == true)
  }
}
