import Core
import FoundationEssentials
import Testing

@testable import ConfigProc

/// The rules that are more than "the strongest source wins".
@Suite struct ResolverRuleTests {
  typealias Base = ResolverTests

  @Test(
    arguments: [
      ([:], [:], true, "default"), (["service_poller_enabled": .bool(false)], [:], false, "config dump"),
      (["schedule_type": .object(["poller": .string("legacy")]), "service_poller_enabled": .int(0)], [:], false, "config dump"),
      (
        ["schedule_type": .object(["poller": .string("dispatcher")]), "service_poller_enabled": .int(0)], [:], true,
        "config dump: schedule_type.poller"
      ),
      (["schedule_type": .object(["poller": .string("cron")])], [:], false, "config dump: schedule_type.poller"),
      (["schedule_type": .object(["poller": .null])], [:], true, "default"), (["schedule_type": .array([])], [:], true, "default"),
      (["schedule_type": .object(["poller": .string("cron")])], ["poller_enabled": .int(1)], true, "poller_cluster.poller_enabled"),
      (["schedule_type": .object(["poller": .string("dispatcher")])], ["poller_enabled": .int(0)], false, "poller_cluster.poller_enabled"),
    ] as [([String: JSONValue], [String: JSONValue], Bool, String)])
  func theRowThenTheScheduleTypeThenTheFlagEnable(dump: [String: JSONValue], row: [String: JSONValue], enabled: Bool, origin: String) throws
  {
    let (settings, entries, _) = try Base.resolve(Base.sources(row: row, dump: dump))
    #expect(settings[.poller].enabled == enabled)
    #expect(entries["service_poller_enabled"] == ConfigEntry(key: "service_poller_enabled", value: .bool(enabled), origin: origin))
  }

  @Test(
    arguments: [
      ([:], 60, "default"), (["ping_rrd_step": .int(30)], 30, "config dump: ping_rrd_step"),
      (["ping_rrd_step": .int(30), "service_ping_frequency": .int(300)], 300, "config dump"),
      (["ping_rrd_step": .string("x")], 60, "default"),
    ] as [([String: JSONValue], Int, String)])
  func thePingPeriodIsTheNewKeyOrTheOldOne(dump: [String: JSONValue], expected: Int, origin: String) throws {
    let entry = try Base.resolve(Base.sources(dump: dump)).entries["service_ping_frequency"]
    #expect(entry == ConfigEntry(key: "service_ping_frequency", value: .integer(expected), origin: origin))
  }

  /// The step of the graphs' files, nested as real dumps have it or flat.
  @Test(
    arguments: [
      (["rrd": .object(["step": .int(300)])], [:], []), (["rrd": .object(["step": .string("300")])], [:], []),
      (["rrd": .object(["step": .int(60)])], [:], ["service_poller_frequency is 300 s (default) but rrd.step is 60 s (config dump)"]),
      (["rrd.step": .int(60)], [:], ["service_poller_frequency is 300 s (default) but rrd.step is 60 s"]),
      (
        ["rrd": .object(["step": .int(300)])], ["poller_frequency": .int(60)],
        ["service_poller_frequency is 60 s (poller_cluster.poller_frequency) but rrd.step is 300 s"]
      ),
      (["rrd": .object(["step": .int(60)])], ["poller_enabled": .int(0)], []), (["rrd": .object([:])], [:], []),
      (["rrd": .object(["step": .string("x")])], [:], ["rrd.step: \"x\" from config dump is not a whole number"]),
      (["ping_rrd_step": .int(60), "service_ping_frequency": .int(30)], [:], []),
      (
        ["ping_rrd_step": .int(60), "service_ping_frequency": .int(30)], ["ping_enabled": .int(1)],
        ["service_ping_frequency is 30 s (config dump) but ping_rrd_step is 60 s"]
      ), (["ping_rrd_step": .string("x")], ["ping_enabled": .int(1)], ["service_ping_frequency: \"x\" from config dump: ping_rrd_step"]),
    ] as [([String: JSONValue], [String: JSONValue], [String])])
  func aPeriodUnlikeTheStepOfTheGraphsIsNamed(dump: [String: JSONValue], row: [String: JSONValue], expected: [String]) throws {
    let notes = try Base.resolve(Base.sources(row: row, dump: dump)).notes
    #expect(notes.count == expected.count, "\(notes)")
    for (note, start) in zip(notes, expected) { #expect(note.text.hasPrefix(start) && note.level == .warning, "\(note.text)") }
  }

  /// A wrong value is named with key, value and origin, and with what is used instead.
  @Test(
    arguments: [
      ("poller_workers", .string("abc"), "service_poller_workers", 7), ("poller_workers", .int(0), "service_poller_workers", 7),
      ("poller_workers", .int(-4), "service_poller_workers", 7), ("poller_frequency", .int(0), "service_poller_frequency", 7),
      ("ping_frequency", .string("1.5"), "service_ping_frequency", 7), ("poller_down_retry", .int(-1), "service_poller_down_retry", 7),
    ] as [(String, JSONValue, String, Int)])
  func aWrongValueGivesWayToTheNextWeakerSource(column: String, raw: JSONValue, key: String, dump: Int) throws {
    let (_, entries, notes) = try Base.resolve(Base.sources(row: [column: raw], dump: [key: .int(dump)]))
    #expect(entries[key] == ConfigEntry(key: key, value: .integer(dump), origin: "config dump"))
    let note = try #require(notes.first)
    #expect(notes.count == 1)
    for part in [key, raw.shown, "poller_cluster.\(column)", "\(dump) from config dump"] {
      #expect(note.text.contains(part), "\(note.text)")
    }
    let alone = try Base.resolve(Base.sources(row: [column: raw]))
    #expect(alone.entries[key]?.origin == "default")
    #expect(alone.notes.first?.text.contains("default") == true)
  }

  @Test(arguments: ["0", "65536", "-1", "x"])
  func aPortOutOfRangeIsNotUsed(port: String) throws {
    let (settings, _, notes) = try Base.resolve(Base.sources(environment: ["REDIS_PORT": port, "DB_PORT": port]))
    #expect(settings.redis.port == 6379)
    #expect(settings.database.port == 3306)
    // 0 means the usual port for the database, so only Redis complains of it.
    #expect(notes.count == (port == "0" ? 1 : 2))
    #expect(notes.allSatisfy { $0.text.contains("\"\(port)\" from environment") })
  }

  @Test func unreadableGroupsAndLevelsAreOneErrorEach() throws {
    for text in ["", "a", "1,,2"] {
      let (settings, entries, notes) = try Base.resolve(
        Base.sources(row: ["poller_groups": .string(text)], dump: ["distributed_poller_group": .string("5")]))
      #expect(settings.groups == [0])
      #expect(entries["distributed_poller_group"]?.value == .integers([0]))
      #expect(notes.map(\.level) == [.error])
      #expect(notes.first?.text.contains("poller_cluster.poller_groups") == true)
    }
    let (settings, _, notes) = try Base.resolve(
      Base.sources(row: ["loglevel": .string("loud")], dump: ["service_loglevel": .string("DEBUG")]))
    #expect(settings.logLevel == .info)
    #expect(notes.map(\.level) == [.error])
  }

  @Test func theCommandLineIsStrongest() throws {
    let sources = Base.sources(row: ["poller_groups": .string("1"), "loglevel": .string("ERROR")]) {
      $0.groups = [4, 2, 4]
      $0.debug = true
      $0.output = .file
    }
    let (settings, entries, _) = try Base.resolve(sources)
    #expect(settings.groups == [4, 2])
    #expect(settings.logLevel == .debug)
    #expect(settings.flags.output == .file)
    #expect(entries["distributed_poller_group"]?.origin == "command line")
    #expect(entries["service_loglevel"]?.origin == "command line")
  }

  @Test func theTimeoutOfRedisFollowsTheDumpNotTheRow() throws {
    let settings = try Base.resolve(
      Base.sources(row: ["alerting_frequency": .int(7)], dump: ["service_alerting_frequency": .string("33")])
    ).settings
    #expect(settings.redis.timeout == .seconds(33))
    #expect(settings[.alerting].frequency == .seconds(7))
  }

  @Test(
    arguments: [
      ([:], [:], false), (["REDIS_HOST": "localhost"], [:], true), (["REDIS_HOST": ""], [:], false), (["REDIS_SOCKET": "/s"], [:], true),
      (["REDIS_PORT": "1"], [:], false), (["REDIS_SENTINEL": "a:1"], [:], false),
      (["REDIS_SENTINEL": "a:1", "REDIS_SENTINEL_SERVICE": "m"], [:], true), ([:], ["redis_host": .string("h")], true),
    ] as [([String: String], [String: JSONValue], Bool)])
  func redisIsNamedByHostSocketOrACompletePair(environment: [String: String], dump: [String: JSONValue], expected: Bool) throws {
    let (settings, _, notes) = try Base.resolve(Base.sources(environment: environment, dump: dump))
    #expect(settings.redis.isNamed == expected)
    #expect(notes.count == (environment == ["REDIS_SENTINEL": "a:1"] ? 1 : 0))
  }

  @Test(
    arguments: [
      ([:], "DB_HOST=x\n", 3, "neither"), ([:], "NODE_ID=\n", 3, ".env line 1"), ([:], "NODE_ID='  '\n", 3, "empty"),
      (["NODE_ID": ""], "NODE_ID=n1\n", 3, "hides"), (["DB_SSLMODE": "prefer"], "NODE_ID=n1\n", 2, "\"prefer\" from environment"),
      ([:], "NODE_ID=n1\nDB_SSLMODE=on\n", 2, "\"on\" from .env line 2"),
    ] as [([String: String], String, Int32, String)])
  func someConfigurationsAreRefused(environment: [String: String], dotenv: String, code: Int32, part: String) {
    let refusal = #expect(throws: Refusal.self) { try Base.resolve(Base.sources(environment: environment, dotenv: dotenv)) }
    #expect(refusal?.exitCode == code)
    #expect(refusal?.message.contains(part) == true, "\(refusal?.message ?? "")")
  }

  @Test func limitsOfATypeComeFromEnvironmentAndFile() throws {
    let (settings, entries, notes) = try Base.resolve(
      Base.sources(
        environment: ["DISPATCHER_POLLER_JOB_TIMEOUT": "900", "DISPATCHER_PING_NICE": "40"],
        dotenv: "NODE_ID=n1\nDISPATCHER_DISCOVERY_NICE=-5\n"))
    #expect(Set(settings.limits.keys) == [.poller, .discovery])
    #expect(settings.limits[.poller]?.jobTimeout == .seconds(900))
    #expect(settings.limits[.poller]?.nice == 0)
    #expect(settings.limits[.discovery]?.nice == -5)
    #expect(entries["DISPATCHER_DISCOVERY_NICE"]?.origin == ".env line 2")
    #expect(notes.count == 1)
    #expect(notes.first?.text.contains("DISPATCHER_PING_NICE: \"40\" from environment is not between -20 and 19; the default 0") == true)
  }

  @Test func whatIsMuchTooLongIsNotCarriedAlong() throws {
    let long = String(repeating: "9", count: 5000)
    let (settings, _, notes) = try Base.resolve(
      Base.sources(
        row: ["poller_groups": .string(long)], dotenv: "NODE_ID=n1\n" + String(repeating: "bad line\n", count: 500),
        dump: ["log_dir": .string(long)]))
    #expect(settings.groups == [0])
    #expect(settings.logDirectory == "/opt/x/logs")
    #expect(notes.count == 13)
    #expect(notes.allSatisfy { $0.text.utf8.count < 400 })
  }

  @Test func theNodeIDMayComeFromTheEnvironment() throws {
    let (settings, entries, _) = try Base.resolve(Base.sources(environment: ["NODE_ID": "env"], dotenv: "NODE_ID=file\n"))
    #expect(settings.nodeID == "env")
    #expect(entries["NODE_ID"]?.origin == "environment")
  }

  @Test func pathsAreSeenFromTheBaseAndNamesAreTrimmed() throws {
    let dump: [String: JSONValue] = [
      "log_dir": .string("var/log"), "service_health_file": .string("run/health"), "distributed_poller_name": .string("  p1 "),
    ]
    let settings = try Base.resolve(Base.sources(dump: dump)).settings
    #expect(settings.logDirectory == "/opt/x/var/log")
    #expect(settings.logFile == "/opt/x/var/log/librenms.log")
    #expect(settings.healthFile == "/opt/x/run/health")
    #expect(settings.pollerName == "p1")
    #expect(try Base.resolve(Base.sources(row: ["poller_name": .string(" ")], dump: dump)).settings.pollerName == "p1")
  }

  @Test func aRealDumpIsUnderstood() throws {
    let path = #filePath.split(separator: "/").dropLast().reduce("") { $0 + "/" + $1 } + "/Fixtures/config-dump.json"
    let dump = try ConfigDump.parse(ScriptRun(end: .ended(.exited(0)), output: Array(try Data(contentsOf: URL(filePath: path)))))
    let (settings, _, notes) = try Base.resolve(Base.sources(dump: dump))
    #expect(notes.isEmpty)
    #expect(settings.pollerName == "lnms-01")
    #expect(settings[.ping].enabled)
    #expect(settings[.ping].frequency == .seconds(60))
    #expect(settings[.poller] == Schedule(enabled: true, workers: 24, frequency: .seconds(300)))
    #expect(settings.logDirectory == "/opt/librenms/logs")
  }

  @Test func theTableIsAligned() {
    let entries = [
      ConfigEntry(key: "a", value: .text(""), origin: "default"),
      ConfigEntry(key: "longer", value: .integers([1, 2]), origin: ".env line 3"),
    ]
    #expect(ConfigTable.lines(entries, origins: true) == ["a       -    default", "longer  1,2  .env line 3"])
    #expect(ConfigTable.lines(entries, origins: false) == ["a       -", "longer  1,2"])
  }
}
