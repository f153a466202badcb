import Core
import Testing

@testable import Supervisor

@Suite struct ConfigurationDiffTests {
  private static func configuration(
    _ entries: [ConfigEntry], change: (inout Settings) -> Void = { _ in }
  ) -> LoadedConfiguration {
    var settings = Settings(base: "/b", nodeID: "n", pollerName: "p")
    change(&settings)
    return LoadedConfiguration(settings: settings, entries: entries)
  }

  private static func entry(_ value: ConfigValue, _ origin: String = "default") -> ConfigEntry {
    ConfigEntry(key: "key", value: value, origin: origin)
  }

  @Test(
    arguments: [
      (entry(.integer(24)), entry(.integer(24)), []), (entry(.integer(24)), entry(.integer(24), "environment"), []),
      (entry(.integer(24)), entry(.integer(12), "poller_cluster.x"), ["key: 24 → 12 (poller_cluster.x)"]),
      (entry(.bool(true)), entry(.bool(false), "config dump"), ["key: true → false (config dump)"]),
      (entry(.text("/a")), entry(.text("")), ["key: /a → empty (default)"]),
      (entry(.text("a")), entry(.text("b\nCRITICAL: c")), ["key: a → b CRITICAL: c (default)"]),
      (entry(.integers([0])), entry(.integers([1, 2]), ".env line 3"), ["key: 0 → 1,2 (.env line 3)"]),
      (nil, entry(.integer(900), "environment"), ["key: not set → 900 (environment)"]),
      (entry(.integer(900)), nil, ["key: 900 → not set"]),
    ] as [(ConfigEntry?, ConfigEntry?, [String])])
  func eachChangedKeyIsALineWithOldValueNewValueAndOrigin(old: ConfigEntry?, new: ConfigEntry?, expected: [String]) {
    let lines = ConfigurationDiff.lines(
      from: Self.configuration(old.map { [$0] } ?? []), to: Self.configuration(new.map { [$0] } ?? []))
    #expect(lines == expected)
  }

  typealias Change = @Sendable (inout Settings) -> Void

  private static let secrets: [(String, Change)] = [
    ("DB_PASSWORD", { $0.database.password = "geheim" }), ("REDIS_PASSWORD", { $0.redis.password = "geheim" }),
    ("REDIS_SENTINEL_PASSWORD", { $0.redis.sentinelPassword = "geheim" }),
  ]

  @Test(arguments: secrets)
  func aChangedSecretIsSaidWithoutItsValue(key: String, change: Change) {
    let entries = [ConfigEntry(key: key, value: .text("***"), origin: ".env line 4")]
    #expect(
      ConfigurationDiff.lines(from: Self.configuration(entries), to: Self.configuration(entries, change: change))
        == ["\(key): changed (.env line 4)"])
    #expect(ConfigurationDiff.lines(from: Self.configuration(entries), to: Self.configuration(entries)).isEmpty)
  }

  @Test func whatWasFoundOutIsSaidToo() {
    let lines = ConfigurationDiff.lines(from: Self.configuration([])) {
      $0.isClustered = true
      $0.scripts.discoverCommand = false
      $0.scripts.fastPingCommand = false
    }
    #expect(lines.map { $0.prefix { $0 != ":" } } == ["queues and locks", "script of discovery", "script of ping"])
  }

  private static let changes: [(Bool, Change, String?)] = [
    (true, { $0.redis.host = "other" }, "the way to Redis"), (true, { $0.redis.password = "other" }, "the way to Redis"),
    (true, { $0.redis.timeout = .seconds(2) }, "the way to Redis"), (true, { $0.redis.timeout = .seconds(30) }, nil),
    (true, { $0.isClustered = false }, "the place of queues and locks"),
    (true, { $0.pollerName = "other" }, nil), (true, { $0.nodeID = "other" }, "the NODE_ID, which names what the node has in Redis,"),
    (true, { $0.groups = [4] }, nil),
    (true, { $0.masterTimeout = .seconds(5) }, nil), (true, { $0.database.host = "other" }, nil),
    (false, { $0.redis.host = "other" }, nil), (false, { $0.pollerName = "other" }, nil),
    (false, { $0.isClustered = true }, "the place of queues and locks"),
  ]

  @Test(arguments: changes)
  func onlyWhatARunningChildCanNotTakeReplacesIt(clustered: Bool, change: Change, reason: String?) {
    var old = Settings(base: "/b", nodeID: "n", pollerName: "p")
    old.isClustered = clustered
    var new = old
    change(&new)
    #expect(Supervisor.replacementReason(old, new) == reason)
  }
}

extension ConfigurationDiff {
  fileprivate static func lines(from old: LoadedConfiguration, change: (inout Settings) -> Void) -> [String] {
    var new = old
    change(&new.settings)
    return lines(from: old, to: new)
  }
}

@Suite struct AutomaticReloadPolicyTests {
  /// Events by second: "start", or a wish; then what is due at the end.
  @Test(
    arguments: [
      ([], 9999, nil), ([(0, "wish")], 9999, nil), ([(0, "start")], 3599, nil), ([(0, "start")], 3600, "the hourly reading"),
      ([(0, "start"), (3, "wish")], 9, nil), ([(0, "start"), (3, "wish")], 10, "wish"),
      ([(0, "start"), (3, "wish"), (4, "other")], 10, "wish"), ([(0, "start"), (60, "wish")], 60, "wish"),
      // A reading, whoever asked for it, sees what was wished for before, and a wish from then on is kept.
      ([(0, "start"), (3, "wish"), (5, "start")], 100, nil), ([(0, "start"), (60, "start"), (60, "wish")], 71, "wish"),
      ([(0, "start"), (60, "start")], 3659, nil),
    ] as [([(Int, String)], Int, String?)])
  func aReadingIsDueWhenWishedForAndEachHourButNeverSoonAfterTheLast(events: [(Int, String)], at second: Int, expected: String?) {
    var policy = AutomaticReloadPolicy()
    for (at, event) in events { if event == "start" { policy.started(now: .seconds(at)) } else { policy.wanted(event) } }
    #expect(policy.due(now: .seconds(second)) == expected)
  }

  @Test func aFloodOfWishesIsOneReadingEachTenSeconds() {
    var policy = AutomaticReloadPolicy()
    policy.started(now: .zero)
    var readings = 0
    for tenth in 1...1000 {
      policy.wanted("flood")
      guard policy.due(now: .milliseconds(tenth * 100)) != nil else { continue }
      readings += 1
      policy.started(now: .milliseconds(tenth * 100))
    }
    #expect(readings == 10)
  }
}
