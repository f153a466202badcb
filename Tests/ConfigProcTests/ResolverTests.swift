import Core
import Testing

@testable import ConfigProc

@Suite struct ResolverTests {
  /// Sources with a NODE_ID and nothing else.
  static func sources(
    row: [String: JSONValue] = [:], environment: [String: String] = [:], dotenv: String = "NODE_ID=n1\n", dump: [String: JSONValue] = [:],
    flags: (inout RunFlags) -> Void = { _ in }
  ) -> ConfigSources {
    var sources = ConfigSources(base: "/opt/x", hostName: "host")
    sources.row = row
    sources.environment = environment
    sources.dotenv = DotenvFile(Array(dotenv.utf8), environment: environment)
    sources.dump = dump
    flags(&sources.flags)
    return sources
  }

  static func resolve(_ sources: ConfigSources) throws -> (settings: Settings, entries: [String: ConfigEntry], notes: [ConfigNote]) {
    var resolver = ConfigResolver(sources)
    let settings = try resolver.resolve()
    #expect(Set(resolver.entries.map(\.key)).count == resolver.entries.count, "a key is entered twice")
    return (settings, Dictionary(uniqueKeysWithValues: resolver.entries.map { ($0.key, $0) }), resolver.notes)
  }

  @Test func nothingSetGivesTheContractsDefaults() throws {
    let (settings, entries, notes) = try Self.resolve(Self.sources())
    var expected = Settings(base: "/opt/x", nodeID: "n1", pollerName: "host")
    expected.scripts = ScriptGeneration()
    #expect(settings == expected)
    #expect(notes.isEmpty)
    let values: [String: ConfigValue] = [
      "NODE_ID": .text("n1"), "distributed_poller_name": .text("host"), "distributed_poller": .bool(false),
      "distributed_poller_group": .integers([0]), "service_poller_enabled": .bool(true), "service_poller_workers": .integer(24),
      "service_poller_frequency": .integer(300), "service_poller_down_retry": .integer(60), "service_discovery_enabled": .bool(true),
      "service_discovery_workers": .integer(16), "service_discovery_frequency": .integer(21600), "service_services_enabled": .bool(true),
      "service_services_workers": .integer(8), "service_services_frequency": .integer(300), "service_billing_enabled": .bool(true),
      "service_billing_frequency": .integer(300), "service_billing_calculate_frequency": .integer(60),
      "service_alerting_enabled": .bool(true), "service_alerting_frequency": .integer(60), "service_ping_enabled": .bool(false),
      "service_ping_frequency": .integer(60), "service_update_enabled": .bool(true), "service_update_frequency": .integer(86400),
      "service_loglevel": .text("INFO"), "service_watchdog_enabled": .bool(false), "service_master_timeout": .integer(20),
      "log_dir": .text("/opt/x/logs"), "log_file": .text("/opt/x/logs/librenms.log"), "service_health_file": .text(""),
      "REDIS_HOST": .text("localhost"), "REDIS_PORT": .integer(6379), "REDIS_DB": .integer(0), "REDIS_USERNAME": .text(""),
      "REDIS_PASSWORD": .text(""), "REDIS_SCHEME": .text("tcp"), "REDIS_SOCKET": .text(""), "REDIS_SENTINEL": .text(""),
      "REDIS_SENTINEL_SERVICE": .text(""), "REDIS_SENTINEL_USERNAME": .text(""), "REDIS_SENTINEL_PASSWORD": .text(""),
      "REDIS_TIMEOUT": .integer(60), "DB_HOST": .text("localhost"), "DB_PORT": .integer(3306), "DB_SOCKET": .text(""),
      "DB_DATABASE": .text("librenms"), "DB_USERNAME": .text("librenms"), "DB_PASSWORD": .text(""), "DB_SSLMODE": .text("disabled"),
      "MYSQL_ATTR_SSL_CA": .text("/etc/ssl/certs/ca-certificates.crt"),
    ]
    #expect(entries.mapValues(\.value) == values)
    #expect(entries.values.allSatisfy { $0.origin == ($0.key == "NODE_ID" ? ".env line 1" : "default") })
  }

  /// Key, column, a value for the row, one for the dump.
  @Test(
    arguments: [
      ("distributed_poller_name", "poller_name", .text("r"), .text("d")),
      ("service_poller_workers", "poller_workers", .integer(3), .integer(4)),
      ("service_poller_frequency", "poller_frequency", .integer(3), .integer(4)),
      ("service_poller_down_retry", "poller_down_retry", .integer(3), .integer(4)),
      ("service_discovery_workers", "discovery_workers", .integer(3), .integer(4)),
      ("service_discovery_frequency", "discovery_frequency", .integer(3), .integer(4)),
      ("service_services_workers", "services_workers", .integer(3), .integer(4)),
      ("service_services_frequency", "services_frequency", .integer(3), .integer(4)),
      ("service_billing_frequency", "billing_frequency", .integer(3), .integer(4)),
      ("service_billing_calculate_frequency", "billing_calculate_frequency", .integer(3), .integer(4)),
      ("service_alerting_frequency", "alerting_frequency", .integer(3), .integer(4)),
      ("service_ping_frequency", "ping_frequency", .integer(3), .integer(4)),
      ("service_update_enabled", "update_enabled", .bool(false), .bool(true)),
      ("service_update_frequency", "update_frequency", .integer(3), .integer(4)),
      ("service_loglevel", "loglevel", .text("ERROR"), .text("DEBUG")),
      ("service_watchdog_enabled", "watchdog_enabled", .bool(true), .bool(false)), ("log_file", "watchdog_log", .text("/r"), .text("/d")),
      ("service_poller_enabled", "poller_enabled", .bool(false), .bool(true)),
      ("service_discovery_enabled", "discovery_enabled", .bool(false), .bool(true)),
      ("service_services_enabled", "services_enabled", .bool(false), .bool(true)),
      ("service_billing_enabled", "billing_enabled", .bool(false), .bool(true)),
      ("service_alerting_enabled", "alerting_enabled", .bool(false), .bool(true)),
      ("service_ping_enabled", "ping_enabled", .bool(true), .bool(false)),
    ] as [(String, String, ConfigValue, ConfigValue)])
  func theRowBeatsTheDump(key: String, column: String, row: ConfigValue, dump: ConfigValue) throws {
    let onlyDump = try Self.resolve(Self.sources(dump: [key: Self.raw(dump)])).entries[key]
    #expect(onlyDump == ConfigEntry(key: key, value: dump, origin: "config dump"))
    for raw in [Self.raw(row), Self.asText(row)] {
      let both = try Self.resolve(Self.sources(row: [column: raw], dump: [key: Self.raw(dump)])).entries[key]
      #expect(both == ConfigEntry(key: key, value: row, origin: "poller_cluster.\(column)"))
    }
    let null = try Self.resolve(Self.sources(row: [column: .null], dump: [key: Self.asText(dump)])).entries[key]
    #expect(null == ConfigEntry(key: key, value: dump, origin: "config dump"))
  }

  @Test(
    arguments: [
      ("distributed_poller", .bool(true)), ("log_dir", .text("/l")), ("service_master_timeout", .integer(9)),
      ("service_health_file", .text("/h")),
    ] as [(String, ConfigValue)])
  func settingsWithoutColumnComeFromTheDump(key: String, value: ConfigValue) throws {
    #expect(try Self.resolve(Self.sources(dump: [key: Self.asText(value)])).entries[key]?.value == value)
  }

  /// Variable, key of the dump, and three different values for environment, file and dump.
  @Test(arguments: [
    ("REDIS_HOST", "redis_host", "e", "f", "d"), ("REDIS_PORT", "redis_port", "1", "2", "3"), ("REDIS_DB", "redis_db", "1", "2", "3"),
    ("REDIS_USERNAME", "redis_user", "e", "f", "d"), ("REDIS_PASSWORD", "redis_pass", "e", "f", "d"),
    ("REDIS_SCHEME", "redis_scheme", "tls", "unix", "tls"), ("REDIS_SOCKET", "redis_socket", "e", "f", "d"),
    ("REDIS_SENTINEL", "redis_sentinel", "e", "f", "d"), ("REDIS_SENTINEL_SERVICE", "redis_sentinel_service", "e", "f", "d"),
    ("REDIS_SENTINEL_USERNAME", "redis_sentinel_user", "e", "f", "d"),
    ("REDIS_SENTINEL_PASSWORD", "redis_sentinel_pass", "e", "f", "d"), ("REDIS_TIMEOUT", "service_alerting_frequency", "1", "2", "3"),
    ("DB_HOST", "db_host", "e", "f", "d"), ("DB_PORT", "db_port", "1", "2", "3"), ("DB_SOCKET", "db_socket", "e", "f", "d"),
    ("DB_DATABASE", "db_name", "e", "f", "d"), ("DB_USERNAME", "db_user", "e", "f", "d"), ("DB_PASSWORD", "db_pass", "e", "f", "d"),
    ("DB_SSLMODE", "db_sslmode", "VERIFY_CA", "verify_identity", "verify_ca"), ("MYSQL_ATTR_SSL_CA", "db_ssl_ca", "e", "f", "d"),
  ])
  func theEnvironmentBeatsTheFileBeatsTheDump(name: String, key: String, environment: String, file: String, dump: String) throws {
    let dotenv = "NODE_ID=n1\n\(name)=\(file)\n"
    func shown(_ text: String) -> String { name.hasSuffix("PASSWORD") ? "***" : text.lowercased() }
    func entry(_ sources: ConfigSources) throws -> [String] {
      let entry = try #require(try Self.resolve(sources).entries[name])
      let value =
        switch entry.value {
        case .text(let text): text
        case .integer(let number): String(number)
        default: "?"
        }
      return [value, entry.origin]
    }
    let origin = key == name ? "config dump" : "config dump: \(key)"
    let empty = try #require(try Self.resolve(Self.sources()).entries[name])
    #expect(
      try entry(Self.sources(environment: [name: environment], dotenv: dotenv, dump: [key: .string(dump)])) == [
        shown(environment), "environment",
      ])
    #expect(try entry(Self.sources(dotenv: dotenv, dump: [key: .string(dump)])) == [shown(file), ".env line 2"])
    #expect(try entry(Self.sources(dump: [key: .string(dump)])) == [shown(dump), origin])
    // An empty variable hides the file's and then counts as not set, except that an empty password is no password.
    let hidden = Self.sources(environment: [name: ""], dotenv: dotenv)
    #expect(try Self.resolve(hidden).entries[name]?.value == empty.value)
    let weaker = try entry(Self.sources(environment: [name: ""], dotenv: dotenv, dump: [key: .string(dump)]))
    #expect(weaker == (name.hasSuffix("PASSWORD") ? ["", "environment"] : [shown(dump), origin]))
  }

  @Test func secretsArriveInTheSettingsAndNowhereElse() throws {
    let (settings, entries, notes) = try Self.resolve(
      Self.sources(environment: ["DB_PASSWORD": "dbsecret", "REDIS_PASSWORD": "rsecret", "REDIS_SENTINEL_PASSWORD": "ssecret"]))
    #expect([settings.database.password, settings.redis.password, settings.redis.sentinelPassword] == ["dbsecret", "rsecret", "ssecret"])
    #expect(!"\(entries)\(notes)".contains("secret"))
    let wrong = try Self.resolve(Self.sources(environment: [:], dump: ["db_pass": .object(["x": .string("secret")])]))
    #expect(wrong.notes.count == 1)
    #expect(!"\(wrong.notes)".contains("secret"))
  }

  private static func raw(_ value: ConfigValue) -> JSONValue {
    switch value {
    case .bool(let flag): .bool(flag)
    case .integer(let number): .int(number)
    case .text(let text): .string(text)
    case .integers: .null
    }
  }

  private static func asText(_ value: ConfigValue) -> JSONValue {
    switch value {
    case .bool(let flag): .string(flag ? "1" : "0")
    case .integer(let number): .string(String(number))
    case .text(let text): .string(text)
    case .integers: .null
    }
  }
}
