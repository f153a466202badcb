import JobKit
import Testing

@Suite struct OwnClockPolicyTests {
  private typealias Verdict = OwnClockPolicy.Verdict

  /// A job that ran from 100 s to 103 s; what the database names it with at a moment, with a period of 300 s and a horizon of 3.5 s.
  private func verdict(at now: Double, newcomer: Bool = false, early: Bool = false, isDone: Bool? = true, known: Bool = false) -> Verdict {
    var policy = OwnClockPolicy()
    if newcomer { policy.named(newcomers: ["7"], askedAt: .seconds(99)) }
    policy.began("7", at: .seconds(100))
    if let isDone { policy.ended("7", isDone: isDone, at: .seconds(103)) }
    if known { policy.named(newcomers: ["8"], askedAt: .seconds(105)) }
    return policy.verdict(
      "7", isNewcomer: newcomer, isEarly: early, period: .seconds(300), horizon: .milliseconds(3500), now: .seconds(now))
  }

  @Test(
    arguments: [
      (103.1, .notYet), (250, .notYet), (396.4, .notYet), (396.6, .at(.seconds(400))), (399.9, .at(.seconds(400))), (400, .immediately),
      (900, .immediately),
    ] as [(Double, OwnClockPolicy.Verdict)])
  func whatTheDatabaseNamesTooSoonWaitsForItsPeriod(now: Double, expected: OwnClockPolicy.Verdict) {
    #expect(verdict(at: now) == expected)
    #expect(verdict(at: now, early: true) == expected, "near the end of its period it gets a timer")
  }

  @Test func otherRulesSayWhenAFailedOrDownDeviceRunsAgain() {
    #expect(verdict(at: 110, isDone: false) == .immediately)
    #expect(verdict(at: 110, early: true, isDone: false) == .notYet)
  }

  /// The lock is held meanwhile; and its period counts from the begin.
  @Test func aJobThatStillRunsIsNotNamedAgain() {
    #expect(verdict(at: 150, isDone: nil) == .notYet)
    #expect(verdict(at: 450, isDone: nil) == .immediately)
  }

  @Test func aDeviceOfOthersIsTheDatabasesAlone() {
    let policy = OwnClockPolicy()
    for isEarly in [false, true] {
      let verdict = policy.verdict("7", isNewcomer: false, isEarly: isEarly, period: .seconds(300), horizon: .seconds(3), now: .seconds(5))
      #expect(verdict == (isEarly ? .notYet : .immediately))
    }
  }

  /// "Rediscover" in the web UI takes a device's time away: after the database has shown that it knew of our run, that is a wish.
  @Test func aTimeThatIsTakenAwayIsAWishAndOneThatNeverCameIsNot() {
    #expect(verdict(at: 110, newcomer: true, known: true) == .immediately)
    #expect(verdict(at: 110, newcomer: true, known: false) == .notYet)
    #expect(verdict(at: 110, newcomer: false, known: true) == .notYet)
  }

  /// Found by the simulation: a server that was read-only while a new device was discovered, and no poll of it for a period of discovery.
  @Test func aNewDeviceWhoseRunLeftNoTraceDoesNotWaitForHours() {
    var policy = OwnClockPolicy()
    policy.named(newcomers: ["7"], askedAt: .seconds(99))
    policy.began("7", at: .seconds(100))
    policy.ended("7", isDone: true, at: .seconds(103))
    func verdict(at now: Double) -> Verdict {
      policy.verdict("7", isNewcomer: true, isEarly: false, period: .seconds(21600), horizon: .zero, now: .seconds(now))
    }
    #expect(verdict(at: 104) == .notYet)
    #expect(verdict(at: 399) == .notYet)
    #expect(verdict(at: 400) == .immediately)
  }

  @Test func aDeviceThatHadATimeBeforeIsKnownAtOnce() {
    var policy = OwnClockPolicy()
    policy.named(newcomers: ["8"], askedAt: .seconds(99))
    policy.began("7", at: .seconds(100))
    policy.ended("7", isDone: true, at: .seconds(103))
    policy.named(newcomers: ["7"], askedAt: .seconds(104))
    let verdict = policy.verdict("7", isNewcomer: true, isEarly: false, period: .seconds(300), horizon: .zero, now: .seconds(104))
    #expect(verdict == .immediately, "its time was taken away")
  }

  @Test func anAnswerThatWasAskedForTooSoonShowsNothing() {
    var policy = OwnClockPolicy()
    policy.named(newcomers: ["7"], askedAt: .seconds(99))
    policy.began("7", at: .seconds(100))
    policy.ended("7", isDone: true, at: .seconds(103))
    policy.named(newcomers: [], askedAt: .seconds(104))
    let verdict = policy.verdict("7", isNewcomer: true, isEarly: false, period: .seconds(300), horizon: .zero, now: .seconds(110))
    #expect(verdict == .notYet)
  }

  @Test func aShorterPeriodCountsAtOnce() {
    var policy = OwnClockPolicy()
    policy.began("7", at: .seconds(100))
    policy.ended("7", isDone: true, at: .seconds(103))
    let verdict = policy.verdict("7", isNewcomer: false, isEarly: false, period: .seconds(30), horizon: .zero, now: .seconds(131))
    #expect(verdict == .immediately)
  }

  @Test(arguments: [(103.0, 147.0), (249.9, 0.1), (250, nil), (390, nil)] as [(Double, Double?)])
  func whatAnotherNodeQueuesWithinHalfAPeriodIsHeld(now: Double, left: Double?) {
    var policy = OwnClockPolicy()
    policy.began("7", at: .seconds(100))
    #expect(policy.tooEarly("7", period: .seconds(300), now: .seconds(now)) == nil, "it runs")
    policy.ended("7", isDone: true, at: .seconds(103))
    let held = policy.tooEarly("7", period: .seconds(300), now: .seconds(now))
    #expect(held.map { abs(($0 - .seconds(left ?? -9)) / .seconds(1)) < 0.001 } ?? (left == nil))
  }

  @Test func whatCantMatterIsForgotten() {
    var policy = OwnClockPolicy()
    policy.began("7", at: .seconds(100))
    policy.began("8", at: .seconds(200))
    policy.forget(before: .seconds(150))
    #expect(policy.lastBegin("7") == nil)
    #expect(policy.lastBegin("8") == .seconds(200))
  }
}
