import Core
import Testing

@testable import Redis

@Suite struct RedisEndpointTests {
  private func settings(_ change: (inout RedisSettings) -> Void) -> RedisSettings {
    var settings = RedisSettings()
    change(&settings)
    return settings
  }

  private func choose(hasTLS: Bool = true, _ change: (inout RedisSettings) -> Void) -> Result<RedisEndpoint.Choice, RedisEndpoint.Refusal> {
    RedisEndpoint.choose(settings(change), hasTLS: hasTLS)
  }

  private let two = [RedisHost(name: "a", port: 26379), RedisHost(name: "10.0.0.2", port: 5000)]

  @Test func sentinelBeforeSocketBeforeHost() throws {
    #expect(try choose { _ in }.get() == .init(endpoint: .tcp(RedisHost(name: "localhost", port: 6379)), tls: false))
    let socket = choose {
      $0.host = "redis.example"
      $0.socket = "/run/redis.sock"
    }
    #expect(try socket.get() == .init(endpoint: .unix(path: "/run/redis.sock"), tls: false))
    let sentinel = choose {
      $0.socket = "/run/redis.sock"
      $0.sentinels = " a , 10.0.0.2:5000,"
      $0.sentinelService = "mymaster"
    }
    #expect(try sentinel.get() == .init(endpoint: .sentinel(two, service: "mymaster"), tls: false))
  }

  @Test func halfOfTheSentinelPairIsAWarningAndTheHost() throws {
    let first = try choose {
      $0.sentinels = "a:1"
      $0.host = "h"
    }.get()
    #expect(first.endpoint == .tcp(RedisHost(name: "h", port: 6379)))
    #expect(first.warnings.count == 1)
    #expect(first.warnings.first?.contains("REDIS_SENTINEL_SERVICE (redis_sentinel_service) is not") == true)
    let second = try choose {
      $0.sentinelService = "mymaster"
      $0.sentinels = " , "
      $0.host = "h"
    }.get()
    #expect(second.endpoint == .tcp(RedisHost(name: "h", port: 6379)))
    #expect(second.warnings.first?.contains("REDIS_SENTINEL (redis_sentinel) is not") == true)
  }

  @Test func aBadSentinelIsLeftOutAndSaid() throws {
    let choice = try choose {
      $0.sentinels = "a:x,b:26380,c:0"
      $0.sentinelService = "s"
    }.get()
    #expect(choice.endpoint == .sentinel([RedisHost(name: "b", port: 26380)], service: "s"))
    #expect(choice.warnings.count == 2)
    #expect(choice.warnings[0].contains("\"a:x\"") && choice.warnings[0].contains("REDIS_SENTINEL"))
    let none = choose {
      $0.sentinels = "a:x"
      $0.sentinelService = "s"
    }
    #expect(throws: RedisEndpoint.Refusal.self) { try none.get() }
  }

  @Test(arguments: ["tls", "TLS", "rediss"]) func tlsIsUsedOrRefused(scheme: String) throws {
    let able = try choose { $0.scheme = scheme }.get()
    #expect(able.tls)
    guard case .failure(let refusal) = choose(hasTLS: false, { $0.scheme = scheme }) else {
      Issue.record("a password would travel in the clear")
      return
    }
    for word in ["REDIS_SCHEME", scheme, "stunnel", "hiredis"] { #expect(refusal.description.contains(word)) }
    // Nobody listens in on a socket of this machine.
    #expect(
      try !choose(
        hasTLS: false,
        {
          $0.scheme = scheme
          $0.socket = "/s"
        }
      ).get().tls)
  }

  @Test func whatCanNotBeUsedIsRefusedByName() {
    let refused: [(String, (inout RedisSettings) -> Void)] = [
      ("REDIS_SCHEME", { $0.scheme = "http" }), ("REDIS_PORT", { $0.port = 0 }), ("REDIS_PORT", { $0.port = 70000 }),
      ("REDIS_SOCKET", { $0.socket = "/" + String(repeating: "x", count: 107) }),
    ]
    for (word, change) in refused {
      guard case .failure(let refusal) = choose(change) else {
        Issue.record("\(word) is accepted")
        continue
      }
      #expect(refusal.description.contains(word))
    }
  }

  @Test(arguments: [
    ("host", RedisHost(name: "host", port: 1) as RedisHost?), ("host:80", RedisHost(name: "host", port: 80)),
    ("[::1]:80", RedisHost(name: "::1", port: 80)), ("[::1]", RedisHost(name: "::1", port: 1)),
    ("fe80::1", RedisHost(name: "fe80::1", port: 1)),
    ("", nil), (":80", nil), ("host:", nil), ("host:0", nil), ("host:65536", nil), ("host:8o", nil), ("a b:1", nil), ("[::1]x", nil),
  ])
  func hostsAreRead(text: String, expected: RedisHost?) { #expect(RedisHost(text, defaultPort: 1) == expected) }

  @Test(arguments: [("127.0.0.1", true), ("::1", true), ("fe80::1%lo", true), ("localhost", false), ("1.2.3", false), ("", false)])
  func numericHostsAreKnown(name: String, numeric: Bool) { #expect(RedisHost.isNumeric(name) == numeric) }

  @Test func waitsStayBelowTheLimitAndSpread() {
    for underSentinel in [false, true] {
      var least = ReconnectPolicy(underSentinel: underSentinel)
      var most = ReconnectPolicy(underSentinel: underSentinel)
      for _ in 0..<50 {
        let (low, high) = (least.delay(random: 0), most.delay(random: 0.999))
        #expect(low < high && high <= .milliseconds(underSentinel ? 700 : 1400))
      }
      most.succeeded()
      #expect(most.delay(random: 0.5) <= .milliseconds(100))
    }
  }

  @Test func theCommandLimitIsOnlyShortened() {
    for (seconds, limit) in [(0, 1), (2, 2), (5, 5), (60, 5)] {
      #expect(RedisLimits(settings { $0.timeout = .seconds(seconds) }).command == .seconds(limit))
    }
  }

  @Test(arguments: [
    ("", "da39a3ee5e6b4b0d3255bfef95601890afd80709"), ("abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
    ("return 1", "e0e1f9fabfc9d4800c877a703b823ac0578ff8db"),
    ("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", "84983e441c3bd26ebaae4aa1f95129e5e54670f1"),
    (String(repeating: "a", count: 1_000_000), "34aa973cd4c4daa4f61eeb2bdbad27316534016f"),
  ])
  func scriptsHaveTheNameThatRedisGivesThem(source: String, sha: String) { #expect(RedisScript(source).sha == sha) }

  @Test func numbersAreWrittenAsTheyAreRead() {
    let written: [(RedisArgument, String)] = [
      (RedisArgument(0.0), "0"), (RedisArgument(1.0), "1"), (RedisArgument(1_700_000_000.25), "1700000000.25"), (-5, "-5"),
      (RedisArgument(UInt64.max), "18446744073709551615"), ("a\(1)", "a1"),
    ]
    for (argument, text) in written { #expect(argument.text == text) }
  }

  @Test func theVersionIsFound() {
    #expect(RedisVersion.inInfo("# Server\r\nredis_version:7.0.15\r\nredis_git_sha1:0\r\n") == "7.0.15")
    #expect(RedisVersion.inInfo("nothing") == nil)
    #expect(RedisVersion.major("5.0.14") == 5)
    #expect(RedisVersion.major("unstable") == .max)
  }
}
