import Core
import Database
import Glibc
import MariaDBFixture
import Testing

@testable import ConfigProc

/// Every setting of the contract, in each source that can set it: alone, and against every other one. With the real executable.
@Suite(.serialized) final class KeyTableTests {
  enum Source: Int, CaseIterable, Comparable {
    case commandLine, row, environment, dotenv, dump
    static func < (a: Source, b: Source) -> Bool { a.rawValue < b.rawValue }
  }

  /// A setting: where it can be set, and how a value of it is written for the n-th source. What `config` prints is the same text unless
  /// `shown` says otherwise.
  struct Key {
    var name: String
    var column: String?
    var variable = false
    /// The name in the dump; nil = not there.
    var dump: String?
    var flag: String?
    var value: (Int) -> String
    var shown: (String) -> String = { $0 }
    /// Only the origin can differ: another value would lead away from the server of the test.
    var isFixed = false

    var sources: [Source] {
      Source.allCases.filter { source in
        switch source {
        case .commandLine: flag != nil
        case .row: column != nil
        case .environment, .dotenv: variable
        case .dump: dump != nil
        }
      }
    }
  }

  private static func setting(
    _ name: String, _ column: String?, _ value: @escaping (Int) -> String = { "\(11 + $0)" }, shown: @escaping (String) -> String = { $0 }
  ) -> Key {
    Key(name: name, column: column, dump: name, value: value, shown: shown)
  }

  private static func flag(_ name: String, _ column: String?) -> Key {
    // Two values only, so that neighbours differ: row against dump.
    setting(name, column, { $0 == Source.row.rawValue ? "0" : "1" }, shown: { $0 == "1" ? "true" : "false" })
  }

  private static func variable(_ name: String, _ dump: String?, _ value: @escaping (Int) -> String = { "v\($0)" }) -> Key {
    Key(name: name, variable: true, dump: dump, value: value, shown: { name.hasSuffix("PASSWORD") ? "***" : $0 })
  }

  private static func server(_ name: String, _ dump: String, _ value: String) -> Key {
    Key(
      name: name, variable: true, dump: dump, value: { _ in value }, shown: { name.hasSuffix("PASSWORD") ? "***" : $0 }, isFixed: true)
  }

  private static func keys(_ running: MariaDBServer) -> [Key] {
    let server = running.settings
    let types = ["poller", "discovery", "services", "billing", "alerting", "ping"]
    var keys = [
      setting("distributed_poller_name", "poller_name", { "name\($0)" }), flag("distributed_poller", nil),
      setting("service_billing_calculate_frequency", "billing_calculate_frequency"),
      setting("service_poller_down_retry", "poller_down_retry"), flag("service_update_enabled", "update_enabled"),
      setting("service_update_frequency", "update_frequency"),
      setting("service_loglevel", "loglevel", { ["WARNING", "ERROR", "CRITICAL", "DEBUG", "DEBUG"][$0] }),
      flag("service_watchdog_enabled", "watchdog_enabled"), setting("log_dir", nil, { "/logs\($0)" }),
      setting("log_file", "watchdog_log", { "/file\($0)" }), setting("service_master_timeout", nil),
      setting("service_health_file", nil, { "/health\($0)" }),
    ]
    var groups = setting("distributed_poller_group", "poller_groups", { "\($0),7" })
    groups.flag = "-g"
    keys.append(groups)
    for type in types {
      keys.append(flag("service_\(type)_enabled", "\(type)_enabled"))
      keys.append(setting("service_\(type)_frequency", "\(type)_frequency"))
    }
    for type in ["poller", "discovery", "services"] { keys.append(setting("service_\(type)_workers", "\(type)_workers")) }
    let number: (Int) -> String = { "\(21 + $0)" }
    keys += [
      variable("REDIS_HOST", "redis_host"), variable("REDIS_PORT", "redis_port", number), variable("REDIS_DB", "redis_db", number),
      variable("REDIS_USERNAME", "redis_user"), variable("REDIS_PASSWORD", "redis_pass"),
      variable("REDIS_SCHEME", "redis_scheme", { ["tcp", "tcp", "tls", "unix", "tcp"][$0] }), variable("REDIS_SOCKET", "redis_socket"),
      variable("REDIS_SENTINEL", "redis_sentinel"), variable("REDIS_SENTINEL_SERVICE", "redis_sentinel_service"),
      variable("REDIS_SENTINEL_USERNAME", "redis_sentinel_user"), variable("REDIS_SENTINEL_PASSWORD", "redis_sentinel_pass"),
      variable("REDIS_TIMEOUT", nil, number), variable("DISPATCHER_SCHEDULE_RUN", nil, { $0 == 2 ? "true" : "false" }),
    ]
    keys.append(variable("DISPATCHER_PHP_OPCACHE", nil, { $0 == 2 ? "true" : "false" }))
    for type in ["POLLER", "DISCOVERY", "SERVICES", "PING", "BILLING", "ALERTING", "MAINTENANCE"] {
      keys += [variable("DISPATCHER_\(type)_JOB_TIMEOUT", nil, number), variable("DISPATCHER_\(type)_NICE", nil, { "\($0)" })]
    }
    return keys + [
      Self.server("DB_HOST", "db_host", "127.0.0.1"), Self.server("DB_PORT", "db_port", "\(server.port)"),
      Self.server("DB_DATABASE", "db_name", "librenms"), Self.server("DB_USERNAME", "db_user", MariaDBServer.user),
      Self.server("DB_PASSWORD", "db_pass", MariaDBServer.password), Self.server("DB_SSLMODE", "db_sslmode", "disabled"),
      Self.server("DB_SOCKET", "db_socket", running.socket), Self.server("MYSQL_ATTR_SSL_CA", "db_ssl_ca", "/ca.pem"),
    ]
  }

  static let server = Result { try MariaDBServer(arguments: ["--skip-ssl"]) }
  let server: MariaDBServer
  let harness: CommandHarness
  private let keys: [Key]

  init() throws {
    server = try Self.server.get()
    harness = try CommandHarness(server)
    keys = Self.keys(server)
  }

  /// What the contract says, beside what is tested: nobody can take a row out of the table above without being told.
  @Test func theTableHasEveryKeyThatConfigPrints() throws {
    try put([])
    let printed = try printed([])
    let table = Set(keys.map(\.name))
    #expect(Set(printed.keys).subtracting(table) == ["NODE_ID"])
    #expect(table.subtracting(printed.keys).allSatisfy { $0.hasPrefix("DISPATCHER_") }, "limits are entered when they are set")
    for (name, entry) in printed where !name.hasPrefix("DB_") { #expect(entry.origin == (name == "NODE_ID" ? ".env line 1" : "default")) }
  }

  @Test(arguments: [[], [.row], [.environment], [.dotenv], [.dump], [.commandLine]] as [[Source]])
  func aSourceAloneIsUsed(sources: [Source]) throws { try expectWinners(sources) }

  @Test(arguments: Source.allCases, Source.allCases)
  func theStrongerOfTwoSourcesWins(first: Source, second: Source) throws {
    if first < second { try expectWinners([first, second]) }
  }

  @Test func ofAllSourcesTheStrongestWins() throws { try expectWinners(Source.allCases) }

  private func expectWinners(_ sources: [Source]) throws {
    try put(sources)
    let printed = try printed(sources)
    for key in keys {
      guard let winner = key.sources.first(where: { sources.contains($0) }) else { continue }
      let found = try #require(printed[key.name], "\(key.name) is not printed")
      #expect(found.value == key.shown(key.value(winner.rawValue)), "\(key.name) in \(sources)")
      let origin =
        switch winner {
        case .commandLine: "command line"
        case .row: "poller_cluster.\(key.column ?? "")"
        case .environment: "environment"
        case .dotenv: ".env line"
        case .dump: key.dump == key.name ? "config dump" : "config dump: \(key.dump ?? "")"
        }
      #expect(winner == .dotenv ? found.origin.hasPrefix(origin) : found.origin == origin, "\(key.name) in \(sources): \(found.origin)")
    }
  }

  // MARK: Setting and printing

  /// Sets every key in these sources and in no other. Where none says where the database is, `config.php` makes it known that the dump does.
  private func put(_ sources: [Source]) throws {
    let columns = keys.compactMap(\.column)
    let table = columns.map { "`\($0)` VARCHAR(255)" }.joined(separator: ", ")
    try execute("CREATE OR REPLACE TABLE poller_cluster (node_id VARCHAR(255) UNIQUE, \(table))")
    if sources.contains(.row) {
      let values = keys.filter { $0.column != nil }.map { "'\($0.value(Source.row.rawValue))'" }
      try execute("INSERT INTO poller_cluster VALUES ('n1', \(values.joined(separator: ", ")))")
    }
    let namesDatabase = !Set(sources).isDisjoint(with: [.environment, .dotenv])
    var lines = ["NODE_ID=n1"]
    if sources.contains(.dotenv) {
      lines += keys.filter(\.variable).map { "\($0.name)=\(Self.quoted($0.value(Source.dotenv.rawValue)))" }
    } else if !namesDatabase && !sources.contains(.dump) {
      lines += keys.filter(\.isFixed).filter { !["MYSQL_ATTR_SSL_CA", "DB_SSLMODE", "DB_SOCKET"].contains($0.name) }.map {
        "\($0.name)=\(Self.quoted($0.value(0)))"
      }
    }
    try harness.write(".env", lines.joined(separator: "\n") + "\n", mode: 0o600)
    try harness.write("config.php", sources.contains(.dump) ? "<?php\n$config['db_host'] = '127.0.0.1';\n" : "<?php\n")
    let pairs = keys.compactMap { key in key.dump.map { "\(Self.json($0)): \(Self.json(key.value(Source.dump.rawValue)))" } }
    try harness.dump(sources.contains(.dump) ? "{\(pairs.joined(separator: ", "))}" : "{}")
  }

  private func printed(_ sources: [Source]) throws -> [String: (value: String, origin: String)] {
    let environment =
      sources.contains(.environment) ? keys.filter(\.variable).map { "\($0.name)=\($0.value(Source.environment.rawValue))" } : []
    let flags = sources.contains(.commandLine) ? ["-g", "0", "7"] : []
    let (code, output, errors) = try harness.run(
      ["print", "--base", harness.base, "--origin"] + flags, environment: environment.map { CText($0) })
    try #require(code == 0, "\(errors)")
    #expect(!(output + errors).contains(MariaDBServer.password))
    var found: [String: (value: String, origin: String)] = [:]
    for line in output.split(separator: "\n") {
      // Columns are two blanks apart; no value of this test has two blanks in it.
      let cells = String(line).split(separator: " ").map(String.init)
      guard cells.count >= 3 else { throw CommandHarness.Failure(text: "no three columns: \(line)") }
      found[cells[0]] = (cells[1], cells[2...].joined(separator: " "))
    }
    return found
  }

  private func execute(_ sql: String) throws {
    let connection = DatabaseConnection(
      settings: server.settings, connectTimeout: .seconds(5), readTimeout: .seconds(5), writeTimeout: .seconds(5))
    try connection.connect()
    try connection.query(sql)
  }

  private static func quoted(_ text: String) -> String { "'" + text.split(separator: "\\").joined(separator: "\\\\") + "'" }

  private static func json(_ text: String) -> String {
    "\"" + text.map { $0 == "\"" || $0 == "\\" ? "\\\($0)" : "\($0)" }.joined() + "\""
  }
}
