import JobKit
import Testing

@Suite struct TakePolicyTests {
  @Test func oneLooksAndItsAnswerSaysForHowManyMoreThereIsWork() {
    var policy = TakePolicy()
    #expect(policy.worthwhile(underWay: 0) == 1, "nothing is known")
    #expect(policy.worthwhile(underWay: 1) == 0, "the first answer is waited for")
    policy.answered(waiting: 5)
    #expect(policy.worthwhile(underWay: 0) == 5)
    #expect(policy.worthwhile(underWay: 3) == 2)
    #expect(policy.worthwhile(underWay: 7) == 0)
    #expect(!policy.isDry)
    policy.answered(waiting: 0)
    #expect(policy.isDry)
    policy.doubt()
    #expect(!policy.isDry)
    policy.answered(waiting: nil)
    #expect(!policy.isDry, "plain commands don't tell")
    #expect(policy.worthwhile(underWay: 0) == 1)
  }

  @Test func trackingIsAskedForAtMostFourTimesASecond() {
    var policy = TakePolicy()
    let first = policy.pauseBeforeTracking(at: .seconds(1))
    #expect(first == .zero)
    let second = policy.pauseBeforeTracking(at: .milliseconds(1100))
    #expect(second == .milliseconds(150))
    let third = policy.pauseBeforeTracking(at: .milliseconds(1250))
    #expect(third == .zero, "asking too early does not put it off")
  }
}
