import Core
import Testing

@testable import MaintenanceProc

@Suite struct DiagnosisPolicyTests {
  // MARK: Clocks

  @Test(
    arguments: [
      (0, .good), (2.9, .good), (-2.9, .good), (3, .unclear), (5, .unclear), (-5, .unclear), (5.1, .bad), (-5.1, .bad), (1e12, .bad),
    ] as [(Double, WarningPolicy.Signal)])
  func aClockIsWrongFromFiveSecondsAndRightBelowThree(skew: Double, signal: WarningPolicy.Signal) {
    let finding = ClockPolicy.skew(.init(skew: skew, databaseOffset: 0, hostOffset: 0))
    #expect(finding.signal == signal && finding.onset > .zero)
  }

  @Test func aSkewIsToldWithItsDirection() {
    #expect(ClockPolicy.skew(.init(skew: -61.23, databaseOffset: 0, hostOffset: 0)).text.contains("61.2 s behind this host's"))
    #expect(ClockPolicy.skew(.init(skew: 61.23, databaseOffset: 0, hostOffset: 0)).text.contains("61.2 s ahead of this host's"))
  }

  @Test(arguments: [(0, .good), (1, .unclear), (2, .unclear), (3, .bad), (900, .bad)] as [(Int, WarningPolicy.Signal)])
  func severalDevicesThatStayDueAreAFaultOneIsNot(devices: Int, signal: WarningPolicy.Signal) {
    #expect(stayedDue(devices: devices).signal == signal)
  }

  private func stayedDue(
    _ type: String = "poller", devices: Int = 3, example: String? = nil, behind: Int? = nil, isReadOnly: Bool = false,
    _ reading: ClockPolicy.Reading? = nil
  ) -> Finding {
    ClockPolicy.stayedDue(
      type, column: type == "poller" ? "last_polled" : "last_discovered", devices: devices, example: example, behind: behind,
      period: .seconds(300), isReadOnly: isReadOnly, reading)
  }

  /// How far the time of a device is behind, and what the line blames.
  @Test(
    arguments: [
      (7201, false, "another time than"), (-3590, false, "another time than"), (20_700, false, "another time than"),
      (400, false, "write no new"), (90_000, false, "write no new"), (1300, false, "write no new"), (nil, false, "write no new"),
      (7201, true, "read-only"), (nil, true, "read-only"),
    ] as [(Int?, Bool, String)])
  func theLikelyCauseIsNamed(behind: Int?, isReadOnly: Bool, part: String) {
    let text = stayedDue(example: "7", behind: behind, isReadOnly: isReadOnly, .init(skew: 0, databaseOffset: 0, hostOffset: 0)).text
    #expect(text.contains(part), "\(text)")
    #expect(text.contains("date.timezone") != isReadOnly, "\(text)")
  }

  @Test func devicesThatStayDueAreToldWithTheFiguresThatPointAtTheCause() {
    let reading = ClockPolicy.Reading(skew: 0.04, databaseOffset: 7200, hostOffset: -12600)
    let text = stayedDue(devices: 12, example: "7", behind: 7201, reading).text
    for part in [
      "12 devices were polled", "device 7 ", "last_polled is 7201 s behind", "UTC+2:00", "UTC-3:30", "differ by 0.0 s", "date.timezone",
      "chrony",
    ] {
      #expect(text.contains(part), "\(text)")
    }
    let other = stayedDue("discovery", example: "1", behind: -5).text
    #expect(other.contains("discovered") && other.contains("5 s ahead of"), "\(other)")
    let bare = stayedDue().text
    #expect(!bare.contains("nil") && !bare.contains("UTC"), "\(bare)")
  }

  @Test func pollsInTheFutureAreAFault() {
    #expect(ClockPolicy.ahead(devices: 0, orMore: false, furthest: 0, nil).signal == .good)
    let finding = ClockPolicy.ahead(devices: 1000, orMore: true, furthest: 3600, nil)
    #expect(finding.signal == .bad && finding.text.contains("1000 or more devices") && finding.text.contains("3600 s ahead"))
  }

  // MARK: Durations

  @Test(
    arguments: [
      (nil, .unclear), (.seconds(100), .good), (.seconds(269), .good), (.seconds(271), .unclear), (.seconds(300), .unclear),
      (.seconds(301), .bad), (.seconds(3600), .bad),
    ] as [(Duration?, WarningPolicy.Signal)])
  func scriptsHaveToFitIntoThePeriod(longest: Duration?, signal: WarningPolicy.Signal) {
    #expect(DurationPolicy.judge("poller", usualLongest: longest, period: .seconds(300)).signal == signal)
  }

  @Test func theDurationIsToldWithTypePeriodAndSetting() {
    let text = DurationPolicy.judge("poller", usualLongest: .seconds(412.7), period: .seconds(300)).text
    for part in ["poller: 95 of 100", "412 s", "service_poller_frequency is 300 s", "rrd.step"] { #expect(text.contains(part), "\(text)") }
    let short = DurationPolicy.judge("alerting", usualLongest: .milliseconds(2340), period: .seconds(2)).text
    #expect(short.contains("2.3 s") && short.contains("is 2 s") && !short.contains("rrd.step"), "\(short)")
  }

  // MARK: Groups

  @Test(
    arguments: [
      ([:], [0], [], ""), ([0: 5], [0], [], ""), ([0: 5, 7: 2], [0], [], "group 7 (2 devices):"),
      ([0: 5, 7: 2], [0], [.init(groups: [1, 7], polls: nil)], ""), ([0: 5, 7: 2], [0], [.init(groups: [7], polls: true)], ""),
      ([0: 5, 7: 2], [0], [.init(groups: [7], polls: false)], "group 7 (2 devices):"),
      ([0: 5], [], [], "group 0 (5 devices):"), ([0: 5], [], [.init(groups: [0], polls: nil)], ""),
      ([7: 0], [0], [], ""), ([3: 1, 1: 4], [0], [], "groups 1 (4 devices), 3 (1 device):"),
      ([1: 1, 2: 1, 3: 1, 4: 1, 5: 1, 6: 1, 7: 1], [0], [], "5 (1 device) and 2 more:"),
    ] as [([Int: Int], [Int], [GroupCoveragePolicy.Node], String)])
  func aGroupWithDevicesNeedsANodeThatPollsIt(devices: [Int: Int], own: [Int], others: [GroupCoveragePolicy.Node], named: String) {
    let finding = GroupCoveragePolicy.judge(devices: devices, own: own, others: others)
    #expect(finding.signal == (named.isEmpty ? .good : .bad))
    #expect(finding.text.contains(named), "\(finding.text)")
  }

  @Test(
    arguments: [
      ("0", [0]), ("0,1", [0, 1]), (" 3 , 12 ", [3, 12]), ("", [0]), ("1 2", [0]), ("a", [0]), ("1,,2", [0]), ("1,-2", [0]),
      ("99999999999999999999", [0]),
    ] as [(String, Set<Int>)])
  func groupsAreReadAsTheDispatchersReadThem(text: String, groups: Set<Int>) {
    let devices = Dictionary(uniqueKeysWithValues: [0, 1, 2, 3, 12].map { ($0, 1) })
    let other = GroupCoveragePolicy.Node(groups: PollerGroupList.parse(text) ?? [0], polls: true)
    let uncovered = GroupCoveragePolicy.judge(devices: devices.filter { !groups.contains($0.key) }, own: [], others: [other])
    let covered = GroupCoveragePolicy.judge(devices: devices.filter { groups.contains($0.key) }, own: [], others: [other])
    #expect(uncovered.signal == .bad && covered.signal == .good, "\(text)")
  }

  // MARK: Capacity

  private func figures(
    type: String = "poller", period: Int = 300, busy: Int = 24, queued: Int = 50, oldest: Int?, consumed: Double, load: Double? = nil
  ) -> CapacityPolicy.Figures {
    let capacity = Duration.seconds(24 * period)
    return .init(
      type: type, period: .seconds(period), spreads: type == "poller", workers: 24, busy: busy, queued: queued,
      oldestDue: oldest.map { .seconds($0) }, consumed: capacity * consumed, capacity: capacity, load: load)
  }

  @Test(
    arguments: [
      // Polls: a quarter of a period is too late, an eighth is in time.
      ("poller", 300, 50, 75, .bad), ("poller", 300, 50, 74, .unclear), ("poller", 300, 50, 37, .good), ("poller", 300, 0, nil, .good),
      ("poller", 60, 50, 29, .unclear), ("poller", 60, 50, 30, .bad), ("poller", 60, 50, 14, .good),
      // What comes all at once may take its whole period.
      ("discovery", 21600, 900, 21599, .unclear), ("discovery", 21600, 900, 21600, .bad), ("discovery", 21600, 900, 7200, .good),
      ("services", 300, 900, 100, .good), ("services", 300, 900, 301, .bad),
    ] as [(String, Int, Int, Int?, WarningPolicy.Signal)])
  func jobsThatWaitTooLongAreAFault(type: String, period: Int, queued: Int, oldest: Int?, signal: WarningPolicy.Signal) {
    let finding = CapacityPolicy.judge(figures(type: type, period: period, queued: queued, oldest: oldest, consumed: 1))
    #expect(finding.signal == signal && finding.onset >= .seconds(300))
  }

  @Test func fewSecondsOfUseOrManyAloneAreNoFault() {
    #expect(CapacityPolicy.judge(figures(queued: 0, oldest: nil, consumed: 0.99)).signal == .good)
    #expect(CapacityPolicy.judge(figures(queued: 0, oldest: nil, consumed: 0)).signal == .good)
  }

  @Test func duringAnOutageNothingIsJudged() {
    var hampered = figures(oldest: 3000, consumed: 0.1)
    hampered.isHampered = true
    #expect(CapacityPolicy.judge(hampered).signal == .unclear)
    var without = figures(oldest: 3000, consumed: 0)
    without.workers = 0
    #expect(CapacityPolicy.judge(without).signal == .good)
  }

  @Test(
    arguments: [
      (24, 0.95, nil, "raise service_poller_workers (now 24)"), (24, 0.95, 0.4, "raise service_poller_workers"),
      (24, 0.95, 1.4, "raise service_poller_workers"), (24, 0.95, 1.5, "no more to give"), (24, 0.2, nil, "raise service_poller_workers"),
      (3, 0.95, nil, "raise service_poller_workers"), (3, 0.5, nil, "21 of 24 workers are free"),
      (0, 0.0, 0.1, "more workers would not help"),
    ] as [(Int, Double, Double?, String)])
  func theFiguresTellTheWayOut(busy: Int, consumed: Double, load: Double?, advice: String) {
    let text = CapacityPolicy.judge(figures(busy: busy, oldest: 200, consumed: consumed, load: load)).text
    #expect(text.contains(advice) && text.contains("poller: 50 jobs wait, the oldest for 200 s") && text.contains("of 7200 worker seconds"))
  }
}
