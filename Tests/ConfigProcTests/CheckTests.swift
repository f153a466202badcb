import Core
import Testing

@testable import ConfigProc

@Suite struct CheckTests {
  @Test(arguments: [
    ("*/5 * * * * librenms /opt/librenms/cronic /opt/librenms/poller-wrapper.py 16", "poller-wrapper.py", TaskType.poller),
    ("33 */6 * * * librenms /opt/librenms/cronic /opt/librenms/discovery-wrapper.py 1", "discovery-wrapper.py", .discovery),
    ("*/5 * * * * librenms /opt/librenms/discovery.php -h new >> /dev/null 2>&1", "discovery.php", .discovery),
    ("*/5 * * * * librenms /opt/librenms/services-wrapper.py 1", "services-wrapper.py", .services),
    ("*/5 * * * * librenms /opt/librenms/check-services.php >> /dev/null 2>&1", "check-services.php", .services),
    ("* * * * * librenms /opt/librenms/alerts.php >> /dev/null 2>&1", "alerts.php", .alerting),
    ("*/5 * * * * librenms /opt/librenms/poll-billing.php >> /dev/null 2>&1", "poll-billing.php", .billing),
    ("01 * * * * librenms /opt/librenms/billing-calculate.php >> /dev/null 2>&1", "billing-calculate.php", .billing),
    ("* * * * * librenms /opt/librenms/ping.php >> /dev/null 2>&1", "ping.php", .ping),
    ("15 0 * * * librenms cd /opt/librenms/ && bash daily.sh >> /dev/null 2>&1", "daily.sh", .maintenance),
    ("*/5 * * * * librenms (cd /opt/librenms;./lnms device:poll all)", "device:poll", .poller),
  ])
  func aCronLineThatStartsOurWorkIsFound(line: String, script: String, type: TaskType) {
    #expect(CronTable.entries("SHELL=/bin/sh\n\n" + line + "\n") == [CronEntry(line: 3, script: script, type: type)])
    #expect(CronTable.entries("  # " + line).isEmpty)
    #expect(CronTable.checks(line, path: "p", enabled: nil).map(\.outcome) == [.fail])
    #expect(CronTable.checks(line, path: "p", enabled: [type]).map(\.outcome) == [.fail])
    #expect(CronTable.checks(line, path: "p", enabled: Set(TaskType.allCases).subtracting([type])).map(\.outcome) == [.ok])
  }

  @Test func aLoadOfTheConfigurationNamesAllCronLinesAtOnce() throws {
    let text = "1 * * * * x /o/poller-wrapper.py 16\n# 1 * * * * x /o/ping.php\n2 * * * * x /o/alerts.php\n"
    let note = try #require(CronTable.note(text, path: "/etc/cron.d/x", enabled: nil))
    #expect(note.level == .warning)
    for part in ["/etc/cron.d/x line 1 poller-wrapper.py, line 3 alerts.php.", "runs twice", "Put a #"] {
      #expect(note.text.contains(part), "\(note.text)")
    }
    let one = try #require(CronTable.note(text, path: "p", enabled: [.alerting]))
    #expect(one.text.contains("alerts.php") && !one.text.contains("poller-wrapper.py"))
    #expect(CronTable.note(text, path: "p", enabled: [.ping, .services]) == nil)
    #expect(CronTable.note("", path: "p", enabled: nil) == nil)
    let many = try #require(CronTable.note(String(repeating: "* * * * * x /o/ping.php\n", count: 40), path: "p", enabled: nil))
    #expect(many.text.contains("and 32 more") && many.text.count < 500)
  }

  @Test(arguments: [
    "* * * * * librenms cd /opt/librenms && php artisan schedule:run --no-ansi > /dev/null",
    "* * * * * librenms /opt/librenms/lnms schedule:run", "0 1 * * * librenms /usr/local/bin/my-poller.php.sh", "PATH=/opt/librenms/daily",
  ])
  func otherCronLinesAreLeftAlone(line: String) {
    #expect(CronTable.entries(line).isEmpty)
  }

  @Test(
    arguments: [
      (0.0, 0, 0, 0, ["ok", "ok"]), (1.9, 3600, 3600, nil, ["ok", "ok"]), (-3.0, 0, 0, 0, ["warn", "ok"]), (6.0, 0, 0, 0, ["FAIL", "ok"]),
      (-90000.0, 0, 0, 0, ["FAIL", "ok"]), (0, 0, 0, 7200, ["ok", "FAIL"]), (0, 0, 3600, 0, ["ok", "warn"]),
      (0, 0, 3600, nil, ["ok", "FAIL"]),
      (0, 3600, 3600, 0, ["ok", "FAIL"]),
    ] as [(Double, Int, Int, Int?, [String])])
  func clocksAndZonesAreCompared(skew: Double, database: Int, host: Int, php: Int?, expected: [String]) {
    let checks = ClockComparison(skew: skew, databaseOffset: database, hostOffset: host, phpOffset: php).checks
    #expect(checks.map(\.outcome.rawValue) == expected)
    #expect(checks.allSatisfy { ($0.outcome == .ok) == ($0.wayOut == nil) })
  }

  @Test func zonesAreWrittenAsOffsets() {
    let checks = ClockComparison(skew: 0, databaseOffset: -12600, hostOffset: 0, phpOffset: 20700).checks
    #expect(checks[1].text == "the database's NOW() is at UTC-3:30, PHP is at UTC+5:45")
  }

  @Test func missingTablesAndColumnsAreNamed() {
    var present = Set(SchemaComparison.needed.flatMap { table, columns in columns.map { "\(table).\($0)" } })
    present.formUnion(SchemaComparison.optional.map { "poller_cluster.\($0)" })
    #expect(SchemaComparison.checks(present).map(\.outcome) == [.ok])
    let old = SchemaComparison.checks(present.subtracting(["poller_cluster.ping_enabled"]))
    #expect(old.map(\.outcome) == [.warn])
    #expect(old[0].text.contains("ping_enabled"))
    let broken = SchemaComparison.checks(present.subtracting(["devices.last_polled", "config.config_name", "config.config_value"]))
    #expect(broken.map(\.outcome) == [.fail, .fail])
    #expect(broken[0].text == "table devices lacks last_polled")
    #expect(broken[1].text.hasPrefix("table config is missing"))
  }

  @Test func aFindingIsOneLine() {
    #expect(Check.fail("a", "b\nc", "d").line == "FAIL  a: b c -> d")
    #expect(Check.ok("a", "b").line == "ok    a: b")
  }
}
