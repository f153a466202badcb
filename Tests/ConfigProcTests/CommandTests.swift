import Core
import Database
import FoundationEssentials
import Glibc
import MariaDBFixture
import Testing

@testable import ConfigProc

/// The executable against a real database and a stand-in for `lnms`.
@Suite(.serialized) final class CommandTests {
  static let server = Result { try MariaDBServer(arguments: ["--skip-ssl"]) }
  let server: MariaDBServer
  let harness: CommandHarness

  init() throws {
    server = try Self.server.get()
    harness = try CommandHarness(server)
    try execute(
      "CREATE OR REPLACE TABLE poller_cluster (id INT AUTO_INCREMENT PRIMARY KEY, node_id VARCHAR(255) UNIQUE, poller_name VARCHAR(255), "
        + "poller_groups VARCHAR(255), poller_workers INT, loglevel VARCHAR(8), ping_enabled TINYINT(1))")
  }

  private func execute(_ sql: String) throws {
    let connection = DatabaseConnection(
      settings: server.settings, connectTimeout: .seconds(5), readTimeout: .seconds(5), writeTimeout: .seconds(5))
    try connection.connect()
    try connection.query(sql)
  }

  private func resolve(_ more: [String] = [], environment: [CText] = []) throws -> RunningCommand {
    try harness.start(["resolve", "--base", harness.base] + more, environment: environment)
  }

  @Test func rowDumpAndFlagsBecomeSettings() throws {
    try execute(
      "INSERT INTO poller_cluster (node_id, poller_name, poller_groups, poller_workers, ping_enabled) VALUES ('n1', 'row', '3,4', 5, 1)")
    try harness.dump("{\"service_poller_workers\":9,\"service_discovery_workers\":\"7\",\"schedule_type\":{\"services\":\"legacy\"}}")
    let command = try resolve(["-vd", "--log-output", "file"])
    #expect(try command.waitForEnd(within: .seconds(10)) == .exited(0))
    let reports = try command.reports()
    #expect(reports.count == 1)
    let settings = try #require(reports.last?.settings)
    #expect(settings.nodeID == "n1")
    #expect(settings.pollerName == "row")
    #expect(settings.groups == [3, 4])
    #expect(settings[.poller].workers == 5)
    #expect(settings[.discovery].workers == 7)
    #expect(settings[.ping].enabled)
    #expect(settings.flags.debug && settings.flags.output == .file)
    #expect(settings.database.password == MariaDBServer.password)
    #expect(settings.scripts == ScriptGeneration(discover: false, ping: false))
    #expect(!command.errors.contains(MariaDBServer.password))
  }

  @Test func aDumpOutOfAnOldCacheIsReadAgainUntilItIsWhatTheTableSays() throws {
    try execute("CREATE OR REPLACE TABLE config (config_name VARCHAR(255) PRIMARY KEY, config_value LONGTEXT)")
    try execute("INSERT INTO config VALUES ('service_poller_workers', '12'), ('service_loglevel', '\"DEBUG\"')")
    defer { try? execute("DROP TABLE config") }
    // Like LibreNMS's cache of this directory: as long as it may be used it has the value of before.
    try harness.script(
      "[ \"${CONFIG_CACHE_TTL:-300}\" = 0 ] && echo '{\"service_poller_workers\":12,\"service_loglevel\":\"DEBUG\"}' || echo '{\"service_poller_workers\":1}'"
    )
    let fresh = try resolve([], environment: ["CONFIG_CACHE_TTL=600"])
    #expect(try fresh.waitForReports { $0.last?.settings != nil }.last?.settings?[.poller].workers == 12)
    #expect(harness.runs == 1, "its cache is not asked at all")
    // A LibreNMS that knows no such variable.
    try harness.script(
      "[ $(wc -l < '\(harness.base)/runs') -gt 2 ] && workers=12 || workers=1; echo \"{\\\"service_poller_workers\\\":$workers,\\\"service_loglevel\\\":\\\"DEBUG\\\"}\""
    )
    let again = try resolve()
    #expect(try again.waitForReports { $0.last?.settings != nil }.last?.settings?[.poller].workers == 12)
    #expect(harness.runs == 3)
  }

  @Test(
    arguments: [
      ("UTF-16", ["is UTF-16LE", "iconv"]), ("UTF-16BE", ["is UTF-16BE", "iconv"]), ("UTF-32", ["is UTF-32LE", "iconv"]),
      ("ISO-8859-1", ["line 5 (REDIS_PASSWORD) has bytes that are no UTF-8"]),
    ] as [(String, [String])])
  func aDotenvInAnotherEncodingIsRefusedWithTheWayOut(encoding: String, parts: [String]) throws {
    let file = harness.base + "/.env"
    _ = try MariaDBServer.run(
      [
        "sh", "-c",
        "echo 'REDIS_PASSWORD=pässwörd' >> '\(file)'; iconv -f UTF-8 -t \(encoding) '\(file)' > '\(file)2' && mv '\(file)2' '\(file)'",
      ], output: "/dev/null")
    let resolved = try resolve()
    guard case .refused(let code, let message) = try resolved.waitForReports({ !$0.isEmpty }).last else {
      return #expect(Bool(false), "not refused")
    }
    #expect(code == 3 && parts.allSatisfy { message.contains($0) } && !message.contains("sswörd"), "\(message)")
  }

  @Test func anAbsentDatabaseIsWaitedForAndNoDumpIsMadeMeanwhile() throws {
    server.kill()
    let command = try resolve()
    let waiting = try command.waitForReports(within: .seconds(3)) { !$0.isEmpty }
    #expect(waiting.first?.waitingReason?.contains("database 127.0.0.1:\(server.port)") == true)
    #expect(harness.runs == 0)
    try server.start()
    let returned = MonotonicTime.now
    _ = try command.waitForReports { $0.last?.settings != nil }
    #expect(MonotonicTime.now - returned < .seconds(2))
    #expect(try command.reports().count == 2)
  }

  @Test(arguments: [
    ("cat dump.txt; exit 1", "exit code 1"), ("echo 'PHP Warning: x'; cat dump.txt", "\"PHP Warning: x"),
    ("head -c 20 dump.txt", "cut or broken JSON"),
    ("exec sleep 100", "did not end within"), ("trap '' TERM; sleep 100 & sleep 100; sleep 100", "did not end within"),
    ("kill -9 $$", "signal 9"),
  ])
  func aBadDumpIsNamedAndTriedAgain(body: String, reason: String) throws {
    try harness.dump("{\"service_poller_workers\":9,\"x\":[1,2,3]}")
    try harness.script(body)
    let command = try resolve(["--dump-limit", "1"])
    let waiting = try command.waitForReports { !$0.isEmpty }
    #expect(waiting.first?.waitingReason?.contains(reason) == true, "\(waiting)")
    try harness.dump("{\"service_poller_workers\":9}")
    let reports = try command.waitForReports { $0.last?.settings != nil }
    #expect(reports.last?.settings?[.poller].workers == 9)
    #expect(try survivors().isEmpty)
  }

  @Test func aDumpDuringWhichTheDatabaseLeftIsThrownAway() throws {
    try harness.script("while [ ! -e go ]; do sleep 0.05; done; echo '{\"service_poller_workers\":1}'")
    let command = try resolve()
    while harness.runs == 0 { usleep(20_000) }
    server.kill()
    try harness.write("go", "")
    let waiting = try command.waitForReports { !$0.isEmpty }
    #expect(waiting.first?.waitingReason?.contains("database") == true)
    try harness.dump("{\"service_poller_workers\":2}")
    try server.start()
    let reports = try command.waitForReports { $0.last?.settings != nil }
    #expect(reports.last?.settings?[.poller].workers == 2)
  }

  @Test func itEndsWhenNobodyReads() throws {
    try harness.script("sleep 100")
    let dumping = try resolve()
    while harness.runs == 0 { usleep(20_000) }
    dumping.closeOutput()
    #expect(try dumping.waitForEnd(within: .seconds(2)) == .exited(0))
    #expect(try survivors().isEmpty)
    try harness.write(".env", "NODE_ID=n1\nDB_PORT=1\n")
    let waiting = try resolve()
    _ = try waiting.waitForReports { !$0.isEmpty }
    waiting.closeOutput()
    #expect(try waiting.waitForEnd(within: .seconds(2)) == .exited(0))
  }

  @Test func aSignalEndsTheScriptToo() throws {
    try harness.script("sleep 100 & sleep 100")
    let command = try resolve()
    while harness.runs == 0 { usleep(20_000) }
    kill(command.pid, SIGTERM)
    #expect(try command.waitForEnd(within: .seconds(2)) == .signalled(SIGTERM))
    #expect(try survivors().isEmpty)
  }

  @Test func theScriptGetsACleanPlaceToRunIn() throws {
    try harness.script(
      "{ pwd; readlink /proc/self/fd/0; env | grep -c -e NOTIFY_ -e WATCHDOG_ -e LISTEN_; echo $KEPT; ls /proc/self/fd | wc -l; } > seen; echo '{}'"
    )
    let command = try resolve(environment: ["NOTIFY_SOCKET=/x", "WATCHDOG_USEC=1", "WATCHDOG_PID=1", "LISTEN_FDS=1", "KEPT=yes"])
    _ = try command.waitForReports { $0.last?.settings != nil }
    let seen = try #require(FileText.read(harness.base + "/seen", limit: 4096)).split(separator: "\n").map(String.init)
    // ls has its own descriptor for the directory beside 0, 1 and 2.
    #expect(seen == [harness.base, "/dev/null", "0", "yes", "4"])
  }

  @Test func aDumpThatNamesAnotherDatabaseLeadsThere() throws {
    try harness.write(".env", "NODE_ID=n1\nDB_HOST=127.0.0.1\nDB_PORT=\(server.port)\nDB_USERNAME=guest\nDB_SSLMODE=\n")
    try execute("CREATE USER IF NOT EXISTS guest@'%'")
    try execute("GRANT SELECT ON librenms.* TO guest@'%'")
    try execute("CREATE DATABASE IF NOT EXISTS other")
    try execute("GRANT SELECT ON other.* TO guest@'%'")
    try execute("CREATE OR REPLACE TABLE other.poller_cluster LIKE librenms.poller_cluster")
    try execute("INSERT INTO other.poller_cluster (node_id, poller_workers) VALUES ('n1', 33)")
    try harness.dump("{\"db_name\":\"other\"}")
    let command = try resolve()
    let settings = try #require(try command.waitForReports { $0.last?.settings != nil }.last?.settings)
    #expect(settings.database.name == "other")
    #expect(settings[.poller].workers == 33)
  }

  @Test func printShowsOneFlatObjectWithoutSecrets() throws {
    try harness.dump("{\"service_poller_workers\":9}")
    let (code, output, errors) = try harness.run(["print", "--base", harness.base, "--json", "-g", "2", "1"])
    #expect(code == 0 && errors.isEmpty)
    let object = try JSONDecoder().decode([String: ConfigValue].self, from: Data(output.utf8))
    #expect(object["service_poller_workers"] == .integer(9))
    #expect(object["distributed_poller_group"] == .integers([2, 1]))
    #expect(object["DB_PASSWORD"] == .text("***"))
    #expect(object["NODE_ID"] == .text("n1"))
    #expect(!output.contains("secret"))
    let table = try harness.run(["print", "--base", harness.base, "--origin"])
    #expect(
      table.output.split(separator: "\n").contains {
        $0.hasPrefix("service_poller_workers ") && $0.contains(" 9 ") && $0.hasSuffix(" config dump")
      })
    #expect(table.output.contains(".env line 4"))
  }

  @Test(
    arguments: [
      ("", [], 3, "NODE_ID"), ("NODE_ID=\n", [], 3, "NODE_ID"), ("NODE_ID=n\nDB_SSLMODE=some\n", [], 2, "DB_SSLMODE"),
      ("NODE_ID=n\n", ["NODE_ID="], 3, "hides"),
      ("NODE_ID=n\n", [CText(bytes: Array("DB_PASSWORD=p".utf8) + [0xE4])], 2, "variable DB_PASSWORD has bytes that are no UTF-8"),
      ("NODE_ID=n\n", [CText(bytes: Array("REDIS_HOST=p".utf8) + [0xE4])], 2, "variable REDIS_HOST=p\\xe4 has bytes"),
      ("NODE_ID=n\nDB_USERNAME=${ODD}\n", [CText(bytes: Array("ODD=p".utf8) + [0xE4])], 2, "variable ODD has bytes"),
    ] as [(String, [CText], Int32, String)])
  func whatCanNeverWorkIsRefused(dotenv: String, environment: [CText], code: Int32, part: String) throws {
    try harness.write(".env", dotenv)
    let printed = try harness.run(["print", "--base", harness.base], environment: environment)
    #expect(printed.code == code)
    #expect(printed.errors.contains(part))
    let command = try resolve(environment: environment)
    #expect(try command.waitForEnd(within: .seconds(5)) == .exited(0))
    guard case .refused(code, let message)? = try command.reports().last else {
      Issue.record("not refused")
      return
    }
    #expect(message.contains(part))
  }

  @Test func aMissingFileIsRefusedAndWrongArgumentsAreUsageErrors() throws {
    unlink(harness.base + "/.env")
    let missing = try harness.run(["print", "--base", harness.base], environment: ["NODE_ID=env"])
    #expect(missing.code == 3)
    #expect(missing.errors.contains("\(harness.base)/.env can't be read: No such file"))
    for arguments in [["print"], ["resolve", "--base", "/x", "-g", "a"], ["resolve", "--base", "/x", "--log-output", "no"], ["nonsense"]] {
      #expect(try harness.run(arguments).code == 2)
    }
    #expect(try harness.run(["--help"]).code == 0)
  }

  @Test func validateNamesWhatIsWrong() throws {
    try harness.write("cron", "* * * * * librenms /opt/librenms/poller-wrapper.py 16\n")
    chmod(harness.base + "/.env", 0o644)
    unlink(harness.base + "/alerts.php")
    let (code, output, _) = try harness.run(
      ["validate", "--base", harness.base, "--cron-file", harness.base + "/cron"], environment: ["DISPATCHER_POLER_NICE=3"])
    #expect(code == 1)
    for part in [
      "did you mean DISPATCHER_POLLER_NICE?",
      "ok    .env: ", "warn  .env: every user", "ok    database: 127.0.0.1", "FAIL  schema: table devices is missing",
      "FAIL  scripts: \(harness.base)/alerts.php is missing", "ok    log_dir: ", "ok    instance: ",
      "FAIL  cron: \(harness.base)/cron line 1 runs poller-wrapper.py",
      "ok    clock: ",
    ] { #expect(output.contains(part), "\(part) in \(output)") }
    server.kill()
    let away = try harness.run(["validate", "--base", harness.base, "--cron-file", "/nowhere"])
    try server.start()
    #expect(away.code == 1)
    #expect(away.output.contains("FAIL  database: "))
    #expect(away.output.contains("ok    cron: "))
  }

  @Test func validateSeesThePythonService() throws {
    // Shells: one under python's name, and one that merely has the file open, like an editor.
    try harness.write("librenms-service.py", "mkfifo \"$1\"; read line <> \"$1\"\n")
    try harness.write(
      "service",
      """
      cd '\(harness.base)'
      (exec -a python3 sh ./librenms-service.py never) & echo $! > pid
      (exec -a vi sh ./librenms-service.py never2) & echo $! > editor
      """)
    _ = try MariaDBServer.run(["bash", harness.base + "/service"], output: "/dev/null")
    let editor = try #require(FileText.read(harness.base + "/editor", limit: 64).flatMap { Int32($0.trimmed) })
    defer { kill(editor, SIGKILL) }
    let pid = try #require(FileText.read(harness.base + "/pid", limit: 64).flatMap { Int32($0.trimmed) })
    defer { kill(pid, SIGKILL) }
    let output = try harness.run(["validate", "--base", harness.base, "--cron-file", "/nowhere"]).output
    #expect(output.contains("FAIL  instance: librenms-service.py runs as process \(pid)"), "\(output)")
    #expect(!output.contains("process \(editor)"), "\(output)")
  }

  /// Root may write everything, and an administrator's first try is with sudo.
  @Test(.enabled(if: geteuid() == 0)) func validateLooksAsTheUserOfTheServiceWhenRootRunsIt() throws {
    let nobody: UInt32 = 65534
    try harness.write("logs/librenms.log", "")
    _ = try MariaDBServer.run(
      ["sh", "-c", "mkdir -p '\(harness.base)/rrd/host' && touch '\(harness.base)/rrd/host/a.rrd'"],
      output: "/dev/null")
    _ = try MariaDBServer.run(["chown", "-R", "nobody", harness.base], output: "/dev/null")
    chown(harness.base + "/logs/librenms.log", 0, 0)
    chown(harness.base + "/rrd/host/a.rrd", 0, 0)
    try harness.script("id -u >> '\(harness.base)/who'; echo '{}'")
    chown(harness.base + "/lnms", nobody, nobody)
    let (code, output, _) = try harness.run(["validate", "--base", harness.base, "--cron-file", "/nowhere"])
    #expect(code == 1)
    for part in [
      "ok    user: ", "nobody",
      "FAIL  what scripts write: \(harness.base)/logs/librenms.log belongs to root and can't be written by nobody",
      "\(harness.base)/rrd/host/a.rrd belongs to root", "chown -R nobody",
    ] { #expect(output.contains(part), "\(part) in \(output)") }
    #expect(FileText.read(harness.base + "/who", limit: 64) == "65534\n", "LibreNMS is never run as root")
    chown(harness.base + "/logs", 0, 0)
    let closed = try harness.run(["validate", "--base", harness.base, "--cron-file", "/nowhere"]).output
    #expect(closed.contains("FAIL  log_dir: \(harness.base)/logs is not writable"), "\(closed)")
  }

  /// Processes that still work in the sample directory.
  private func survivors() throws -> [String] {
    let list = harness.base + "/survivors"
    unlink(list)
    _ = try MariaDBServer.run(
      ["sh", "-c", "for p in /proc/[0-9]*; do [ \"$(readlink $p/cwd)\" = \(harness.base) ] && echo $p; done; true"], output: list)
    return (FileText.read(list, limit: 65536) ?? "").split(separator: "\n").map(String.init)
  }
}

extension ScriptGeneration {
  fileprivate init(discover: Bool, ping: Bool) {
    self.init()
    discoverCommand = discover
    fastPingCommand = ping
  }
}
