import Testing

@testable import ConfigProc

@Suite struct DumpAgreementTests {
  private static let dump: [String: JSONValue] = [
    "service_poller_workers": .int(9), "service_ping_enabled": .bool(false), "log_dir": .string("/var/log"), "service_health_file": .null,
    "schedule_type": .object(["ping": .string("dispatcher")]), "rrd": .object(["step": .string("300")]), "fping": .string("/bin/fping"),
    "service_flat.key": .int(1),
  ]

  @Test(
    arguments: [
      ("service_poller_workers", .int(9), true), ("service_poller_workers", .string("9"), true),
      ("service_poller_workers", .double(9), true),
      ("service_poller_workers", .int(12), false), ("service_poller_workers", .string(""), false),
      ("service_ping_enabled", .bool(false), true), ("service_ping_enabled", .int(0), true),
      ("service_ping_enabled", .string("false"), true),
      ("service_ping_enabled", .bool(true), false), ("schedule_type.ping", .string("dispatcher"), true),
      ("schedule_type.ping", .string("cron"), false), ("rrd.step", .int(300), true), ("rrd.step", .int(60), false),
      ("service_flat.key", .int(1), true), ("log_dir", .string("/var/log2"), false), ("service_health_file", .string(""), true),
      // Not in the dump at all.
      ("service_discovery_workers", .int(3), false), ("service_poller_workers.deeper", .int(9), true),
      // Neither scalar nor ours.
      ("service_poller_workers", .array([.int(1)]), true), ("log_dir", .null, true), ("fping", .string("/usr/bin/fping"), true),
    ] as [(String, JSONValue, Bool)])
  func aRowAndTheDumpAgreeOrNot(name: String, value: JSONValue, agree: Bool) {
    let names = DumpAgreement.disagreements(rows: [(name, value)], dump: Self.dump)
    #expect(names == (agree ? [] : [name]))
  }

  @Test(
    arguments: [
      ("$config['service_poller_workers'] = 9;", []), ("$config[\"schedule_type\"][\"ping\"] = 'x';", ["service_poller_workers"]),
      ("$config['schedule_type']['poller'] = 'x';", ["schedule_type.ping", "service_poller_workers"]),
      ("", ["schedule_type.ping", "service_poller_workers"]),
    ] as [(String, [String])])
  func whatTheConfigurationFileNamesMayDiffer(file: String, left: [String]) {
    var rows: [(name: String, value: JSONValue)] = [("service_poller_workers", .int(1))]
    if !left.isEmpty { rows.append(("schedule_type.ping", .string("cron"))) }
    #expect(DumpAgreement.disagreements(rows: rows, dump: Self.dump, configurationFile: file) == left)
  }

  @Test func theComplaintNamesKeysAndNoValues() {
    let text = DumpAgreement.complaint((1...7).map { "service_\($0)" })
    #expect(text.contains("service_1, service_2, service_3, service_4, service_5 and 2 more"))
    #expect(text.contains("lnms config:clear"))
  }
}
