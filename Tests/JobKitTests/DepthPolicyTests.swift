import JobKit
import Testing

@Suite struct DepthPolicyTests {
  @Test func itIsAskedAtMostOnceInTenSecondsAndNotWhileTakesTell() {
    var policy = DepthPolicy()
    let atOnce = policy.shouldAsk(at: .seconds(1))
    #expect(atOnce, "nothing is known yet")
    let soon = policy.shouldAsk(at: .milliseconds(10_999))
    #expect(!soon, "whether it was answered or not")
    let later = policy.shouldAsk(at: .seconds(11))
    #expect(later)
    policy.said(waiting: 3, lowest: 7, at: .seconds(20))
    let young = policy.shouldAsk(at: .milliseconds(24_999))
    #expect(!young, "a take has just told")
    let old = policy.shouldAsk(at: .seconds(25))
    #expect(old)
    #expect(policy.waiting == 3 && policy.lowest == 7)
  }

  @Test func aFigureIsKnownForThirtySecondsAndNotBeyondTheConnection() {
    var policy = DepthPolicy()
    #expect(!policy.isKnown(at: .zero))
    policy.said(waiting: 3, lowest: nil, at: .seconds(5))
    #expect(policy.isKnown(at: .seconds(35)))
    #expect(!policy.isKnown(at: .milliseconds(35_001)))
    policy.said(waiting: 0, lowest: nil, at: .seconds(36))
    #expect(policy.isKnown(at: .seconds(36)))
    _ = policy.shouldAsk(at: .seconds(41))
    policy.lost()
    #expect(!policy.isKnown(at: .seconds(41)))
    let again = policy.shouldAsk(at: .seconds(41))
    #expect(again, "the new connection is asked at once")
  }
}
