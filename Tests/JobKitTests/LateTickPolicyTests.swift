import JobKit
import Testing

@Suite struct LateTickPolicyTests {
  @Test func theFirstIsSaidAndThenOneLineForAllOfAnInterval() {
    var policy = LateTickPolicy()
    let first = policy.cameEarly(isWaiting: false, at: .seconds(1000))
    #expect(first == LateTickPolicy.Line(late: 1, missed: 0))
    for second in 1..<600 {
      let line = policy.cameEarly(isWaiting: second % 3 == 0, at: .seconds(1000 + second))
      #expect(line == nil, "after \(second) s")
    }
    let next = policy.cameEarly(isWaiting: false, at: .seconds(1600))
    #expect(next == LateTickPolicy.Line(late: 401, missed: 199))
    #expect(policy.late == 402 && policy.missed == 199)
  }

  @Test func ticksThatNobodyDispatchedAreCountedAndHaveTheirOwnLine() {
    var policy = LateTickPolicy()
    policy.nobodyDispatched(3)
    policy.nobodyDispatched(-1)
    #expect(policy.missed == 3)
    let line = policy.cameEarly(isWaiting: true, at: .zero)
    #expect(line?.late == 0 && policy.missed == 4)
  }
}
