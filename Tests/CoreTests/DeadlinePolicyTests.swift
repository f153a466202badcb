import Core
import Testing

@Suite struct DeadlinePolicyTests {
  @Test(arguments: [
    (Int64?.none, Int64?.none, Int64(100), DeadlinePolicy.Action.none),
    (50, nil, 49, .none),
    (50, nil, 50, .terminate),
    (50, 50, 54, .none),
    (50, 50, 55, .kill),
    (nil, 10, 14, .none),
    (nil, 10, 15, .kill),
  ])
  func actionFollowsDeadlineAndGrace(deadline: Int64?, terminated: Int64?, now: Int64, expected: DeadlinePolicy.Action) {
    func time(_ seconds: Int64) -> MonotonicTime { MonotonicTime(nanoseconds: seconds * 1_000_000_000) }
    #expect(DeadlinePolicy.action(deadline: deadline.map(time), terminatedAt: terminated.map(time), now: time(now)) == expected)
  }
}
