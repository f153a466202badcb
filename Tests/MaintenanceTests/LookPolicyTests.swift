import Testing

@testable import MaintenanceProc

@Suite struct LookPolicyTests {
  private func policy(askedAt second: Int, isUrgent: Bool = false, isActive: Bool = false) -> LookPolicy {
    var policy = LookPolicy(first: .seconds(30), interval: .seconds(600))
    policy.asked(now: .seconds(second))
    policy.answered(isUrgent: isUrgent, isActive: isActive)
    return policy
  }

  /// The first second at which the question is due.
  private func due(_ policy: LookPolicy) -> Int? {
    (0...2000).first { policy.isDue(now: .seconds($0), startedAt: .seconds(100)) }
  }

  @Test func theFirstQuestionWaitsForTheNodeToBeUp() {
    #expect(due(LookPolicy(first: .seconds(30), interval: .seconds(600))) == 130)
  }

  @Test(arguments: [(false, false, 800), (true, false, 260), (false, true, 220), (true, true, 220)])
  func whatIsSaidToBeWrongIsLookedAtMoreOften(isUrgent: Bool, isActive: Bool, second: Int) {
    #expect(due(policy(askedAt: 200, isUrgent: isUrgent, isActive: isActive)) == second)
  }

  @Test func aChangedConfigurationIsLookedAtAtOnce() {
    var policy = policy(askedAt: 200)
    policy.forgetAnswer()
    #expect(policy.isDue(now: .seconds(201), startedAt: .seconds(100)))
    policy.asked(now: .seconds(201))
    #expect(!policy.isDue(now: .seconds(5000), startedAt: .seconds(100)), "one question at a time")
    // It changes while the question is under way: the answer is of the old one.
    policy.forgetAnswer()
    policy.answered(isUrgent: false, isActive: false)
    #expect(policy.isDue(now: .seconds(202), startedAt: .seconds(100)))
  }

  @Test func aFailedQuestionLeavesWhatWasKnown() {
    var policy = policy(askedAt: 200, isActive: true)
    policy.asked(now: .seconds(220))
    policy.failed()
    #expect(due(policy) == 240)
  }
}
