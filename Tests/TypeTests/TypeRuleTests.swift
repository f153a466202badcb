import Core
import JobKit
import Testing

/// When, where and under which lock a type's jobs run.
@Suite struct TypeRuleTests {
  @Test(
    arguments: [
      (TaskType.poller, "42", "poller.device.42"), (.discovery, "42", "discovery.device.42"), (.services, "42", "services.device.42"),
      (.ping, "", "ping.group.3"), (.alerting, "alerts", "alerting.alerts"), (.billing, "poll", "billing.poll"),
      (.billing, "calculate", "billing.calculate"), (.maintenance, "daily.sh", "schema-update"),
    ] as [(TaskType, String, String)])
  func everyJobHasTheLockOfTheContract(_ type: TaskType, _ payload: String, _ lock: String) {
    #expect(allTypes[type]?.lockName(item(payload, group: 3)) == lock)
  }

  @Test func lockLifetimesAreThePeriodWhereThereIsNoRenewalByPython() {
    var settings = settings()
    settings[.services].frequency = .seconds(120)
    settings[.ping].frequency = .zero
    settings[.alerting].frequency = .seconds(5)
    #expect(allTypes[.services]?.lockLifetime(settings, at: .zero) == .seconds(120))
    #expect(allTypes[.ping]?.lockLifetime(settings, at: .zero) == .seconds(1), "at least a second")
    // A child that is away for half of it is replaced, and its lock is renewed meanwhile: a period of 5 s would be too short.
    #expect(allTypes[.alerting]?.lockLifetime(settings, at: .zero) == .seconds(60))
    #expect(allTypes[.billing]?.lockLifetime(settings, at: .zero) == .seconds(60))
  }

  @Test func alertingAndBillingHaveTheOneQueueWhateverTheGroups() {
    let settings = settings(groups: [2, 5])
    for type in TaskType.allCases {
      let expected = [.alerting, .billing, .maintenance].contains(type) ? [0] : [2, 5]
      #expect(allTypes[type]?.queueGroups(settings) == expected, "\(type)")
      #expect(allTypes[type]?.keepsTicks == [.alerting, .billing].contains(type), "\(type)")
    }
  }

  @Test func slotsAreThoseThatRunAndNotThoseThatAreReported() {
    var settings = settings(groups: [0, 1, 2])
    for type in TaskType.allCases { settings[type].workers = 7 }
    let slots = allTypes.mapValues { $0.slots(settings) }
    #expect(slots == [.poller: 7, .discovery: 7, .services: 7, .ping: 3, .alerting: 1, .billing: 1, .maintenance: 1])
  }

  @Test func ticksComeOnTheClockOfTheirSetting() {
    var settings = settings()
    settings[.services].frequency = .seconds(11)
    settings[.alerting].frequency = .seconds(12)
    settings[.billing].frequency = .seconds(13)
    settings.billingCalculateFrequency = .seconds(14)
    func triggers(_ type: TaskType) -> [Trigger]? {
      let rules = allTypes[type]?.rules(settings, startedAt: .now)
      #expect(rules?.allSatisfy { !$0.respectsLocks && $0.offset == .zero } == true, "timed dispatch does not look at locks")
      return rules?.map(\.trigger)
    }
    #expect(triggers(.services) == [.tick(index: 0, period: .seconds(11))])
    #expect(triggers(.alerting) == [.tick(index: 0, period: .seconds(12))])
    #expect(triggers(.billing) == [.tick(index: 0, period: .seconds(13)), .tick(index: 1, period: .seconds(14))])
  }

  /// In a cluster the leader fills the queues of all groups.
  @Test(arguments: [false, true]) func everyRuleAsksForTheWorkOfItsGroups(_ isClustered: Bool) {
    var settings = settings(groups: [2, 5])
    settings.isClustered = isClustered
    settings[.poller].frequency = .seconds(299)
    settings[.discovery].frequency = .seconds(21_599)
    settings[.maintenance].enabled = true
    settings.runsSchedule = true
    let groups = isClustered ? nil : [2, 5]
    let start = MonotonicTime(nanoseconds: 5)
    let expected: [TaskType: [DueQuestion]] = [
      .poller: [.polls(period: .seconds(299), lookAhead: .seconds(1), groups: groups)],
      .discovery: [
        .discoveries(period: .seconds(21_599), lookAhead: .seconds(10), groups: groups, serviceStartedAt: start),
        .allDevices(groups: groups),
      ],
      .services: [.devicesWithServices(groups: groups)], .ping: [.deviceGroups(groups)],
      .alerting: [.fixed(["alerts"], fromServer: true)],
      .billing: [.fixed(["poll"], fromServer: true), .fixed(["calculate"], fromServer: true)],
      .maintenance: [.fixed(["daily.sh"], fromServer: false), .fixed(["schedule:run"], fromServer: false)],
    ]
    for (type, scheduler) in allTypes {
      #expect(scheduler.rules(settings, startedAt: start).map(\.question) == expected[type], "\(type)")
    }
  }

  @Test func namesOfRulesDiffer() {
    // They name the tick in Redis.
    for (type, scheduler) in allTypes {
      let names = scheduler.rules(settings(), startedAt: .now).map(\.name)
      #expect(Set(names).count == names.count, "\(type): \(names)")
    }
  }

  struct Ending: CustomTestStringConvertible, Sendable {
    var type: TaskType
    var ending: ExitCodePolicy.Ending
    var outcome: ExitCodePolicy.Outcome
    var hold: ExitCodePolicy.Hold
    var severity: ExitCodePolicy.Severity
    var testDescription: String { "\(type) \(ending)" }
  }

  static let endings = [
    Ending(type: .services, ending: .exited(0), outcome: .done, hold: .release, severity: .none),
    Ending(type: .services, ending: .exited(5), outcome: .down, hold: .keep(.seconds(60)), severity: .debug),
    Ending(type: .services, ending: .exited(6), outcome: .down, hold: .keep(.seconds(60)), severity: .debug),
    Ending(type: .services, ending: .exited(1), outcome: .failed, hold: .untilFrequency, severity: .warning),
    Ending(type: .services, ending: .timedOut, outcome: .failed, hold: .untilFrequency, severity: .warning),
    Ending(type: .alerting, ending: .exited(0), outcome: .done, hold: .release, severity: .none),
    Ending(type: .alerting, ending: .exited(1), outcome: .failed, hold: .release, severity: .warning),
    Ending(type: .alerting, ending: .exited(255), outcome: .failed, hold: .release, severity: .error),
    Ending(type: .alerting, ending: .unseen, outcome: .done, hold: .release, severity: .none),
    Ending(type: .billing, ending: .exited(0), outcome: .done, hold: .release, severity: .none),
    Ending(type: .billing, ending: .exited(1), outcome: .failed, hold: .release, severity: .warning),
    Ending(type: .billing, ending: .signalled(9), outcome: .failed, hold: .release, severity: .error),
    Ending(type: .billing, ending: .unseen, outcome: .done, hold: .release, severity: .none),
  ]

  @Test(arguments: endings, [25, 26]) func everyEndHasTheVerdictOfTheContract(_ row: Ending, _ generation: Int) throws {
    let type = try #require(allTypes[row.type])
    let verdict = ExitCodePolicy.verdict(
      type.exitKind(settings(generation: generation)), row.ending, failures: 0, downRetry: .seconds(60), frequency: .seconds(300))
    #expect(verdict == ExitCodePolicy.Verdict(outcome: row.outcome, hold: row.hold, severity: row.severity))
  }

  @Test func whatHasNoDeviceIsNeitherLookedUpNorJudgedByOne() {
    for (type, payload) in [(TaskType.alerting, "alerts"), (.billing, "poll"), (.billing, "calculate")] {
      #expect(allTypes[type]?.check(item(payload), settings()) == nil)
      #expect(allTypes[type]?.judge(item(payload), age: .zero) == nil)
    }
    #expect(allTypes[.services]?.check(item("42"), settings()) == .presence(item("42")))
    #expect(allTypes[.services]?.judge(item("42"), age: .seconds(9)) == nil, "LibreNMS notes no time for it")
  }

  @Test(arguments: [(TaskType.poller, DeviceTime.polled), (.discovery, .discovered)])
  func devicesAreLookedUpAndJudgedByTheTimeOfTheirType(_ type: TaskType, _ time: DeviceTime) {
    var settings = settings()
    settings[type].frequency = .seconds(77)
    #expect(allTypes[type]?.check(item("42"), settings) == .device(item("42"), time: time, period: .seconds(77)))
    #expect(allTypes[type]?.judge(item("42"), age: .seconds(9)) == UnseenEndQuestion(item("42"), time: time, age: .seconds(9)))
  }
}
