import Simulation
import Testing

@testable import Supervisor

@Suite struct RestartPolicyTests {
  @Test func backOffDoublesFromOneSecondToOneMinute() {
    var policy = RestartPolicy()
    let delays = (0..<9).map { policy.died(now: .seconds($0 * 1000), readySince: .seconds($0 * 1000 - 5), dice: 0).delay }
    #expect(delays == [1, 2, 4, 8, 16, 32, 60, 60, 60].map { .seconds($0) })
  }

  @Test(arguments: [(0.0, 1.0), (0.5, 1.1), (1.0, 1.2), (7.0, 1.2), (-1.0, 1.0), (Double.nan, 1.0)])
  func jitterAddsUpToOneFifth(dice: Double, seconds: Double) {
    var policy = RestartPolicy()
    let delay = policy.died(now: .seconds(100), readySince: .seconds(99), dice: dice).delay
    #expect(abs((delay - Duration.milliseconds(seconds * 1000)) / Duration.milliseconds(1)) < 0.001)
  }

  @Test func theFirstDeathAfterAHealthyMinuteIsAnsweredAtOnce() {
    var policy = RestartPolicy()
    #expect(policy.died(now: .seconds(100), readySince: .seconds(98), dice: 0).delay == .seconds(1))
    #expect(policy.died(now: .seconds(200), readySince: .seconds(140), dice: 1).delay == .zero)
    #expect(policy.died(now: .seconds(210), readySince: .seconds(209), dice: 0).delay == .seconds(1), "the run of deaths begins anew")
  }

  @Test func aMomentShortOfHealthyIsNotHealthy() {
    var policy = RestartPolicy(healthyThreshold: .seconds(3))
    #expect(policy.died(now: .milliseconds(12_999), readySince: .seconds(10), dice: 0).delay == .seconds(1))
    #expect(policy.died(now: .seconds(23), readySince: .seconds(20), dice: 0).delay == .zero)
  }

  @Test func aDeathBeforeReadyStartsAtEightSeconds() {
    var policy = RestartPolicy()
    let delays = (0..<5).map { policy.died(now: .seconds($0 * 1000), readySince: nil, dice: 0).delay }
    #expect(delays == [8, 16, 32, 60, 60].map { .seconds($0) })
  }

  @Test func fiveDeathsWithinFiveMinutesAreACrashLoopThatPasses() {
    var policy = RestartPolicy()
    for second in [0, 10, 20, 30] { #expect(!policy.died(now: .seconds(second), readySince: .seconds(second), dice: 0).crashLooping) }
    #expect(policy.died(now: .seconds(300), readySince: .seconds(299), dice: 0).crashLooping)
    #expect(!policy.isCrashLooping(now: .seconds(301)))
  }

  @Test func aNewConfigurationForgetsTheDeaths() {
    var policy = RestartPolicy()
    for second in 0..<8 { _ = policy.died(now: .seconds(second), readySince: nil, dice: 0) }
    policy.forget()
    #expect(!policy.isCrashLooping(now: .seconds(9)))
    #expect(policy.died(now: .seconds(9), readySince: .seconds(8), dice: 0).delay == .seconds(1))
  }

  @Test(arguments: 1...10 as ClosedRange<UInt64>)
  func theDelayIsNeverOverSeventyTwoSecondsAndOnlyZeroAfterHealth(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    var policy = RestartPolicy()
    var now = Duration.zero
    for _ in 0..<2000 {
      now += .milliseconds(Int.random(in: 0...200_000, using: &random))
      let age = Bool.random(using: &random) ? Duration.milliseconds(Int.random(in: 0...120_000, using: &random)) : nil
      let delay = policy.died(now: now, readySince: age.map { now - $0 }, dice: .random(in: 0...1, using: &random)).delay
      let wasHealthy = age.map { $0 >= .seconds(60) } ?? false
      #expect(wasHealthy ? delay == .zero : delay >= .seconds(1) && delay <= .seconds(72))
      if age == nil { #expect(delay >= .seconds(8)) }
    }
  }
}

@Suite struct SilencePolicyTests {
  @Test(arguments: [(300, 30), (60, 30), (59, 29.5), (20, 10), (10, 5), (3, 5), (0, 5)] as [(Int, Double)])
  func theLimitIsHalfTheShortestLockBetweenFiveAndThirtySeconds(lock: Int, limit: Double) {
    #expect(SilencePolicy.limit(shortestLock: .seconds(lock)) == .milliseconds(limit * 1000))
  }

  @Test func withoutLocksTheLimitIsTheLongest() {
    #expect(SilencePolicy.limit(shortestLock: nil) == .seconds(30))
  }

  @Test func silenceCountsFromTheLastWord() {
    var policy = SilencePolicy(now: .seconds(100))
    #expect(policy.verdict(now: .seconds(130), isStopped: false) == .fine, "loading may take a while")
    #expect(policy.verdict(now: .milliseconds(130_001), isStopped: false) == .silent(.milliseconds(30_001)))
    policy.becameReady(now: .seconds(102), shortestLock: .seconds(20))
    policy.heard(now: .seconds(110))
    #expect(policy.verdict(now: .seconds(120), isStopped: false) == .fine)
    #expect(policy.verdict(now: .seconds(121), isStopped: false) == .silent(.seconds(11)))
  }

  @Test func aStoppedProcessIsNotWaitedFor() {
    #expect(SilencePolicy(now: .seconds(1)).verdict(now: .seconds(1), isStopped: true) == .stopped)
  }

  @Test func timeInWhichTheSupervisorWasAwayIsNotSilence() {
    var policy = SilencePolicy(now: .seconds(0))
    let shift = SilencePolicy.shift(due: .seconds(1), now: .seconds(601))
    #expect(shift == .seconds(600))
    policy.shift(by: shift)
    #expect(policy.verdict(now: .seconds(601), isStopped: false) == .fine)
  }

  @Test(arguments: [(1000, 1000), (1000, 2999), (1000, 3000), (1000, 900)])
  func aLoopThatIsLittleLateTrustsItsClock(due: Int, now: Int) {
    #expect(SilencePolicy.shift(due: .milliseconds(due), now: .milliseconds(now)) == .zero)
  }
}

@Suite struct WatchdogPolicyTests {
  @Test func systemdHearsTheBeatInEverythingThatARestartDoesNotCure() {
    #expect(WatchdogPolicy.mayBeat([]))
    for condition in WatchdogPolicy.Condition.allCases {
      #expect(WatchdogPolicy.mayBeat([.healthy, condition]) == (condition != .unkillable), "\(condition)")
    }
  }

  @Test func theHealthFileAgesOneMinuteAfterTheLastPoll() {
    var policy = WatchdogPolicy(now: .seconds(100))
    #expect(policy.mayRefreshHealthFile([], now: .milliseconds(159_999)))
    #expect(!policy.mayRefreshHealthFile([], now: .seconds(160)))
    policy.observe(.working, now: .seconds(170))
    #expect(policy.mayRefreshHealthFile([.healthy], now: .seconds(500)))
    policy.observe(.nothing, now: .seconds(500))
    policy.observe(.nothing, now: .seconds(550))
    #expect(policy.idleFor(now: .seconds(559)) == .seconds(59))
    #expect(policy.mayRefreshHealthFile([.outage], now: .seconds(559)))
    #expect(!policy.mayRefreshHealthFile([.outage], now: .seconds(560)))
  }

  @Test func theHealthFileIsStricterThanTheWatchdog() {
    var policy = WatchdogPolicy(now: .zero)
    policy.observe(.working, now: .zero)
    #expect(!policy.mayRefreshHealthFile([.unkillable], now: .zero))
    policy.observe(.nothing, now: .zero)
    #expect(WatchdogPolicy.mayBeat([.outage]) && !policy.mayRefreshHealthFile([.outage], now: .seconds(61)))
  }

  @Test func aPausedMachineIsNotAnIdleNode() {
    var policy = WatchdogPolicy(now: .zero)
    policy.shift(by: .seconds(600))
    #expect(policy.mayRefreshHealthFile([], now: .seconds(610)))
  }

  @Test(
    arguments: [
      (.healthy, 24, 0, false, .working), (.healthy, 24, 3, true, .working), (.healthy, 24, 0, true, .nothing),
      (.healthy, 0, 0, true, .working),
      (.outage, 24, 2, true, .working), (.outage, 24, 0, false, .nothing), (.starting, 24, 0, false, .nothing),
      (.waitingForRestart, 24, 5, true, .nothing),
    ] as [(WatchdogPolicy.Condition, Int, Int, Bool, WatchdogPolicy.Progress)])
  func aNodeWorksWhileItRunsJobsOrHasNoneToRun(
    condition: WatchdogPolicy.Condition, slots: Int, busy: Int, waiting: Bool, expected: WatchdogPolicy.Progress
  ) {
    #expect(WatchdogPolicy.progress(condition: condition, slots: slots, busy: busy, hasWaiting: waiting) == expected)
  }
}

@Suite struct StatusTextTests {
  private let poller = StatusText.Line(type: "poller", busy: 12, slots: 24, queued: 3, oldestDue: .seconds(4))

  @Test func itNamesWhatIsBusyAndWhatWaits() {
    let ping = StatusText.Line(type: "ping", trouble: "crash-looping, next try in 8 s")
    let discovery = StatusText.Line(type: "discovery", slots: 2, outages: ["database"])
    #expect(
      StatusText.render(.working, [poller, discovery, ping])
        == "poller 12/24 busy, 3 waiting, oldest due 4 s ago; discovery 0/2 busy, no database; ping crash-looping, next try in 8 s")
  }

  @Test(
    arguments: [
      (.starting, "starting"), (.working, "no type is enabled on this node"),
      (.waiting("database: connection refused"), "waiting for database: connection refused"),
      (.draining(jobs: 0), "stopping: all jobs done"), (.draining(jobs: 1), "stopping: 1 job still runs"),
      (.draining(jobs: 5), "stopping: 5 jobs still run"),
    ] as [(StatusText.Phase, String)])
  func phasesSayWhatIsWaitedFor(phase: StatusText.Phase, text: String) {
    #expect(StatusText.render(phase, []) == text)
  }

  @Test func aReasonCanNotSmuggleASecondAssignment() {
    #expect(StatusText.render(.waiting("x\nWATCHDOG=trigger"), []) == "waiting for x WATCHDOG=trigger")
    #expect(!StatusText.clip("a\r\nb\u{2028}c\0d").contains { $0.isNewline || $0 == "\0" })
  }

  @Test func itFitsOneLine() {
    #expect(StatusText.render(.waiting(String(repeating: "x", count: 1000)), []).count == StatusText.longest)
  }

  @Test(arguments: [
    (0, "0 s"), (119, "119 s"), (120, "2 min"), (7199, "119 min"), (7200, "2 h"), (11100, "3 h 5 min"), (172_799, "47 h 59 min"),
    (172_800, "2 d"), (187_200, "2 d 4 h"), (-5, "0 s"),
  ])
  func agesAreRoundedAsPeopleSayThem(seconds: Int, text: String) {
    #expect(StatusText.age(.seconds(seconds)) == text)
  }
}
