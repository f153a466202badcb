import Core
import Testing

@testable import ConfigProc

@Suite struct ResourceRuleTests {
  private static let machine = MachineSize(memory: 8 << 30, tasks: 32768)

  @Test(
    arguments: [
      // What is set, and what the kernel gets; nil: it is wrong.
      (.memoryMax, "512M", "536870912"), (.memoryMax, "2G", "2147483648"), (.memoryMax, "1048576", "1048576"),
      (.memoryMax, "4096K", "4194304"),
      (.memoryMax, "1T", "1099511627776"), (.memoryMax, "infinity", "max"), (.memoryHigh, "50%", "4294967296"),
      (.memoryHigh, "12.5%", "1073741824"), (.memoryMax, " 64M ", "67108864"), (.memoryMax, "512", nil), (.memoryMax, "0", nil),
      (.memoryMax, "-1G", nil), (.memoryMax, "+1G", nil), (.memoryMax, "1.5G", nil), (.memoryMax, "512MB", nil), (.memoryMax, "512m", nil),
      (.memoryMax, "101%", nil), (.memoryMax, "0%", nil), (.memoryMax, "%", nil), (.memoryMax, "1e1%", nil), (.memoryMax, "nan%", nil),
      (.memoryMax, "max", nil), (.memoryMax, "99999999999999999999G", nil), (.memoryMax, "18446744073709551615", nil),
      (.memoryMax, "5 G", nil), (.memoryMax, "٣M", nil), (.cpuQuota, "150%", "150000 100000"), (.cpuQuota, "50%", "50000 100000"),
      (.cpuQuota, "12.5%", "12500 100000"), (.cpuQuota, "infinity", "max 100000"), (.cpuQuota, "150", nil), (.cpuQuota, "0%", nil),
      (.cpuQuota, "0.5%", nil), (.cpuQuota, "-5%", nil), (.cpuQuota, "1..5%", nil), (.cpuWeight, "1", "1"), (.cpuWeight, "10000", "10000"),
      (.cpuWeight, "0", nil), (.cpuWeight, "10001", nil), (.cpuWeight, "idle", nil), (.ioWeight, "50", "50"), (.ioWeight, "5%", nil),
      (.tasksMax, "200", "200"), (.tasksMax, "10%", "3276"), (.tasksMax, "infinity", "max"), (.tasksMax, "0", nil), (.tasksMax, "2.5", nil),
      (.tasksMax, "4294967295", nil),
    ] as [(Resource, String, String?)])
  func valuesAreSystemds(resource: Resource, text: String, expected: String?) {
    switch resource.rule(Self.machine).judge(.string(text)) {
    case .good(let limit):
      #expect(limit.value == expected)
      #expect(limit.text == text.trimmed)
    case .wrong: #expect(expected == nil)
    case .missing: Issue.record("\(text) is not missing")
    }
  }

  @Test func whatIsEmptyIsNotSet() {
    for text in ["", "  "] {
      guard case .missing = Resource.memoryMax.rule(Self.machine).judge(.string(text)) else {
        Issue.record("'\(text)' is taken for a value")
        continue
      }
    }
  }

  @Test func partsOfAnUnknownSizeAreRefused() {
    for resource in [Resource.memoryMax, .tasksMax] {
      guard case .wrong(let reason) = resource.rule(MachineSize()).judge(.string("50%")) else {
        Issue.record("\(resource): 50 % of nothing")
        continue
      }
      #expect(reason.contains("unknown"))
    }
  }

  @Test func limitsComeFromEnvironmentAndFileAndWrongOnesAreNamed() throws {
    var sources = ResolverTests.sources(
      environment: ["DISPATCHER_POLLER_MEMORY_MAX": "512M", "DISPATCHER_POLLER_TASKS_MAX": "", "DISPATCHER_PING_CPU_QUOTA": "lots"],
      dotenv: "NODE_ID=n1\nDISPATCHER_DISCOVERY_CPU_QUOTA=150%\nDISPATCHER_POLLER_MEMORY_MAX=1G\n")
    sources.machine = Self.machine
    let (settings, entries, notes) = try ResolverTests.resolve(sources)
    #expect(settings.limits[.poller]?.resources == [.memoryMax: ResourceLimit(text: "512M", value: "536870912")])
    #expect(settings.limits[.discovery]?.resources == [.cpuQuota: ResourceLimit(text: "150%", value: "150000 100000")])
    #expect(settings.limits[.ping] == nil)
    #expect(
      entries["DISPATCHER_POLLER_MEMORY_MAX"]
        == ConfigEntry(key: "DISPATCHER_POLLER_MEMORY_MAX", value: .text("512M"), origin: "environment"))
    #expect(entries["DISPATCHER_DISCOVERY_CPU_QUOTA"]?.origin == ".env line 2")
    #expect(entries["DISPATCHER_POLLER_TASKS_MAX"] == nil)
    let expected =
      "DISPATCHER_PING_CPU_QUOTA: \"lots\" from environment is no percentage of one CPU like 50% or 150%; the default no limit is used"
    #expect(notes.map(\.text) == [expected])
  }

  @Test(
    arguments: [
      (nil, 95), ("80", 80), ("80%", 80), ("0", nil), ("off", nil), ("OFF", nil), ("", 95), ("100", 100), ("101", 95), ("many", 95),
      ("-1", 95),
    ] as [(String?, Int?)])
  func memoryPressureIsAPercentageOrOff(text: String?, expected: Int?) throws {
    let environment = text.map { ["DISPATCHER_MEMORY_PRESSURE_PERCENT": $0] } ?? [:]
    let (settings, entries, notes) = try ResolverTests.resolve(ResolverTests.sources(environment: environment))
    #expect(settings.memoryPressure == expected)
    let isWrong = ["101", "many", "-1"].contains(text)
    #expect(notes.count == (isWrong ? 1 : 0))
    #expect((entries["DISPATCHER_MEMORY_PRESSURE_PERCENT"] == nil) == (text == nil || text == "" || isWrong))
  }
}
