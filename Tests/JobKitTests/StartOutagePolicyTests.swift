import Testing

@testable import JobKit

@Suite struct StartOutagePolicyTests {
  typealias Policy = StartOutagePolicy

  @Test func oneCauseIsSaidOnceForManyJobsAndAgainAfterMinutes() {
    var policy = Policy()
    #expect(policy.failed(.program, "lnms: Permission denied", at: .zero, jitter: .zero) == .begun)
    for job in 1...500 { #expect(policy.failed(.program, "lnms: Permission denied", at: .seconds(job), jitter: .zero) == nil) }
    #expect(policy.failed(.program, "lnms: Permission denied", at: .seconds(600), jitter: .zero) == .lasting(failures: 502))
    #expect(policy.failed(.program, "lnms: Permission denied", at: .seconds(601), jitter: .zero) == nil)
    #expect(policy.worked(lived: false, at: .seconds(700)) == .seconds(700))
    #expect(policy.worked(lived: false, at: .seconds(701)) == nil)
    #expect(policy.failed(.program, "lnms: Permission denied", at: .seconds(702), jitter: .zero) == .begun)
  }

  @Test(arguments: [
    (Policy.Cause.resources, [500, 1000, 2000, 2000, 2000]), (.program, [1000, 2000, 4000, 8000, 10000, 10000]),
    (.interpreter, [1000, 2000, 4000, 8000, 10000]),
  ])
  func pausesGrowWithTheRoundsAndNotWithTheJobsOfARound(_ cause: Policy.Cause, _ milliseconds: [Int]) {
    var policy = Policy()
    var now = Duration.seconds(100)
    for pause in milliseconds {
      for _ in 0..<24 { _ = policy.failed(cause, "x", at: now, jitter: .zero) }
      #expect(policy.pausedUntil - now == .milliseconds(pause))
      now = policy.pausedUntil
    }
  }

  @Test func aMissingInterpreterIsOverWhenAScriptHasLivedAndNotWhenItWasStarted() {
    var policy = Policy()
    _ = policy.failed(.interpreter, "exit code 127", at: .zero, jitter: .zero)
    #expect(policy.worked(lived: false, at: .seconds(1)) == nil)
    #expect(policy.isActive)
    #expect(policy.worked(lived: true, at: .seconds(3)) == .seconds(3))
    #expect(!policy.isActive)
  }

  @Test func anotherReasonIsNewsButTwoThatTakeTurnsAreNot() {
    var policy = Policy()
    var said = 0
    for second in 0..<600 where policy.failed(.program, second % 2 == 0 ? "a" : "b", at: .seconds(second), jitter: .zero) != nil {
      said += 1
    }
    #expect(said <= 11)
    #expect(said >= 2)
  }
}
