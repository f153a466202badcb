import Core
import Redis
import RedisFixture
import Testing

@testable import ConfigProc

@Suite(.serialized) struct RedisChecksTests {
  private func settings(_ redis: RedisSettings, distributed: Bool = true) -> Settings {
    var settings = Settings(base: "/opt/librenms", nodeID: "n1", pollerName: "n1")
    settings.redis = redis
    settings.distributed = distributed
    return settings
  }

  private func outcomes(_ checks: [Check]) -> [String] { checks.map(\.outcome.rawValue) }

  @Test(
    arguments: [
      (0, "allkeys-random", false), (1 << 20, "allkeys-random", true), (1 << 20, "volatile-ttl", true), (1 << 20, "allkeys-lru", true),
      (1 << 20, "noeviction", false), (nil, "allkeys-lru", false), (1 << 20, nil, false),
    ] as [(Int64?, String?, Bool)])
  func anEvictionPolicyThatCanDropLocksIsNamed(limit: Int64?, policy: String?, warns: Bool) {
    var facts = RedisFacts()
    var info = "# Memory\r\nused_memory:1\r\n"
    if let limit { info += "maxmemory:\(limit)\r\nmaxmemory_human:1M\r\n" }
    if let policy { info += "maxmemory_policy:\(policy)\r\n" }
    facts.read(info: info)
    #expect((facts.evictionWarning != nil) == warns)
    if warns { #expect(facts.evictionWarning?.contains(policy ?? "?") == true) }
    let found = facts
    let report = ResolverReport.resolved(settings: settings(RedisSettings()), entries: [], notes: [])
    guard case .resolved(let decided, _, let notes) = ClusterProbe.decide(report, ask: { _ in found }) else {
      return #expect(Bool(false), "resolved")
    }
    #expect(decided.isClustered && (notes.count == 1) == warns)
    #expect(outcomes(RedisChecks.checks(decided, ask: { _ in found })) == (warns ? ["ok", "warn"] : ["ok"]))
  }

  @Test func aNodeAloneIsAskedNothing() {
    #expect(RedisChecks.checks(settings(RedisSettings(), distributed: false)).isEmpty)
  }

  @Test func whatARealServerAllowsAndRefusesIsSeen() throws {
    let server = try RedisServer(arguments: ["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-random"])
    let checks = RedisChecks.checks(settings(server.settings))
    #expect(outcomes(checks) == ["ok", "warn"], "\(checks)")
    #expect(checks.last?.text.contains("allkeys-random") == true)
    try server.command("ACL", "SETUSER", "limited", "on", ">secret", "~librenms.*", "&*", "+@all", "-zpopmin", "-eval", "-info")
    var limited = server.settings
    (limited.user, limited.password) = ("limited", "secret")
    let refused = RedisChecks.checks(settings(limited))
    #expect(outcomes(refused) == ["ok", "FAIL", "warn"], "\(refused)")
    #expect(refused[1].text.contains("ZPOPMIN") && refused[2].text.contains("scripts"))
    #expect(try server.command("KEYS", "*") == "", "looking leaves nothing behind")
  }

  @Test(arguments: [true, false])
  func aNodeOfARedisClusterIsRefusedWithTheWayOut(distributed: Bool) throws {
    let server = try RedisServer(arguments: ["--cluster-enabled", "yes"])
    let wanted = settings(server.settings, distributed: distributed)
    let began = ContinuousClock.now
    let report = ClusterProbe.decide(.resolved(settings: wanted, entries: [], notes: []))
    #expect(ContinuousClock.now - began < .seconds(3))
    switch report {
    case .refused(let code, let message):
      #expect(distributed && code == 2)
      #expect(
        message.contains("Redis can't be used") && message.contains("cluster mode") && message.contains("distributed_poller"), "\(message)")
    case .resolved(let decided, _, let notes):
      #expect(!distributed && !decided.isClustered)
      #expect(notes.count == 1 && notes[0].text.contains("works alone") && notes[0].text.contains("cluster mode"), "\(notes)")
    case .waiting: #expect(Bool(false), "decided")
    }
    #expect(outcomes(RedisChecks.checks(wanted)) == [distributed ? "FAIL" : "warn"])
  }
}
