import Testing

@testable import Supervisor

@Suite struct StandstillPolicyTests {
  private typealias Observation = StandstillPolicy.Observation

  /// The first second in which a standstill is seen, when the same is observed each second from 0 on.
  private func seen(_ observation: Observation, until end: Int = 2000) -> Int? {
    var policy = StandstillPolicy()
    return (0...end).first { policy.observe(observation, now: .seconds($0)) != nil }
  }

  @Test(
    arguments: [
      // Due, and nothing started: after a period, at least a minute. Busy slots make no difference: they may be busy for ever.
      (Observation(period: .seconds(300), slots: 24, queued: 3), 300),
      (Observation(period: .seconds(10), slots: 24, oldestDue: .seconds(1)), 60),
      // From the last start on.
      (Observation(period: .seconds(300), slots: 24, queued: 3, lastStart: .seconds(100)), 400),
      // A start in the future is another process's clock.
      (Observation(period: .seconds(300), slots: 24, queued: 3, lastStart: .seconds(1_000_000)), nil),
      // Nothing is due, or it is for others.
      (Observation(period: .seconds(300), slots: 24), nil),
      (Observation(period: .seconds(300), slots: 0, queued: 3), nil),
      (Observation(period: .seconds(300), slots: 1, queued: 1, isExcused: true), nil),
      // Nobody asks what is due.
      (Observation(period: .seconds(300), slots: 24, lastAsked: .seconds(5)), 305),
      (Observation(period: .seconds(300), slots: 0, lastAsked: .seconds(5)), nil),
    ] as [(StandstillPolicy.Observation, Int?)])
  func nothingStartedForAPeriodThoughSomethingIsDue(observation: StandstillPolicy.Observation, second: Int?) {
    #expect(seen(observation) == second)
  }

  @Test func aStartOrAnEmptyQueueEndsIt() {
    var policy = StandstillPolicy()
    var observation = Observation(period: .seconds(60), slots: 4, queued: 9)
    #expect(policy.observe(observation, now: .seconds(0)) == nil)
    #expect(policy.observe(observation, now: .seconds(61)) == .seconds(61))
    observation.lastStart = .seconds(62)
    #expect(policy.observe(observation, now: .seconds(63)) == nil)
    #expect(policy.observe(observation, now: .seconds(123)) == .seconds(61))
    observation.queued = 0
    #expect(policy.observe(observation, now: .seconds(124)) == nil)
    observation.queued = 1
    #expect(policy.observe(observation, now: .seconds(125)) == nil)
  }

  @Test func aQueueThatIsNeverEmptyIsNoStandstill() {
    var policy = StandstillPolicy()
    for second in stride(from: 0, to: 5000, by: 10) {
      let busy = Observation(period: .seconds(60), slots: 4, queued: 900, oldestDue: .seconds(400), lastStart: .seconds(second - 5))
      #expect(policy.observe(busy, now: .seconds(second)) == nil)
    }
  }

  @Test func aPausedMachineStandsStillWithoutFault() {
    var policy = StandstillPolicy()
    let observation = Observation(period: .seconds(60), slots: 4, queued: 9)
    #expect(policy.observe(observation, now: .zero) == nil)
    policy.shift(by: .seconds(600))
    #expect(policy.observe(observation, now: .seconds(610)) == nil)
  }
}

@Suite struct TroublePolicyTests {
  @Test func itIsSaidEachMinuteAndAtItsEnd() {
    var policy = TroublePolicy()
    var said: [Int: TroublePolicy.Saying] = [:]
    for second in 0...300 { said[second] = policy.observe(second < 130 ? "it refuses" : nil, now: .seconds(second)) }
    #expect(said == [0: .lasts("it refuses"), 60: .lasts("it refuses"), 120: .lasts("it refuses"), 140: .isOver])
  }

  @Test func oneThatComesAndGoesIsOneLineAMinute() {
    var policy = TroublePolicy()
    let said = (0..<300).compactMap { policy.observe($0 % 4 < 2 ? "it refuses" : nil, now: .seconds($0)) }
    #expect(said == Array(repeating: .lasts("it refuses"), count: 5))
  }
}
