import JobKit
import Testing

@Suite struct StayedDuePolicyTests {
  /// A job that ran from 100 s to 103 s, then a query with a period of 300 s.
  private func count(named due: [String], askedAt: Double, period: Int = 300) -> Int {
    var policy = StayedDuePolicy()
    policy.succeeded("7", startedAt: .seconds(100), at: .seconds(103))
    policy.named(due, askedAt: .seconds(askedAt), period: .seconds(period))
    let count = policy.count(at: .seconds(askedAt))
    #expect(policy.example == (count > 0 ? "7" : nil))
    return count
  }

  @Test(
    arguments: [
      (["7"], 105, 1), (["1", "7", "8"], 160, 1), ([], 105, 0), (["1"], 105, 0),
      // A reading server may be behind for a moment, and near its end a period is rightly over.
      (["7"], 104.9, 0), (["7"], 100, 0), (["7"], 324, 1), (["7"], 325, 0), (["7"], 400, 0), (["7"], 5000, 0),
    ] as [([String], Double, Int)])
  func aDeviceThatIsDueFarBeforeTheEndOfItsPeriodIsCounted(due: [String], askedAt: Double, expected: Int) {
    #expect(count(named: due, askedAt: askedAt) == expected)
  }

  @Test func aPeriodOfSecondsLeavesNoRoomForAFault() {
    #expect(count(named: ["7"], askedAt: 105, period: 20) == 1)
    #expect(count(named: ["7"], askedAt: 105, period: 8) == 0)
    #expect(count(named: ["7"], askedAt: 105, period: 1) == 0)
  }

  @Test func aDeviceThatRunsAgainAtOnceIsJudgedByItsFirstEnd() {
    var policy = StayedDuePolicy()
    for second in 0..<10 {
      policy.succeeded("7", startedAt: .seconds(second), at: .seconds(second + 1))
      policy.named(["7"], askedAt: .seconds(Double(second) + 1.5), period: .seconds(300))
    }
    #expect(policy.count(at: .seconds(11)) == 1)
  }

  @Test func distinctDevicesCountOnceAndAreForgottenAfterTenMinutes() {
    var policy = StayedDuePolicy()
    for round in 0..<3 {
      for id in ["12", "9", "100"] { policy.succeeded(id, startedAt: .seconds(round * 10), at: .seconds(round * 10 + 1)) }
      // What was seen once is watched until a query does not name it.
      #expect(policy.isWatching(askedAt: .seconds(round * 10 + 2)) == (round > 0) && policy.isWatching(askedAt: .seconds(round * 10 + 3)))
      policy.named(["9", "12", "100"], askedAt: .seconds(round * 10 + 5), period: .seconds(300))
    }
    #expect(policy.count(at: .seconds(30)) == 3)
    #expect(policy.example == "9")
    #expect(policy.count(at: .seconds(625)) == 3)
    #expect(policy.count(at: .seconds(626)) == 0)
    #expect(policy.example == nil)
  }

  @Test func aSuccessThatMovesItsTimeEndsTheFaultOfThatDevice() {
    var policy = StayedDuePolicy()
    for id in ["1", "2"] { policy.succeeded(id, startedAt: .zero, at: .seconds(1)) }
    policy.named(["1", "2"], askedAt: .seconds(4), period: .seconds(300))
    policy.succeeded("1", startedAt: .seconds(5), at: .seconds(6))
    policy.named(["2"], askedAt: .seconds(9), period: .seconds(300))
    #expect(policy.count(at: .seconds(9)) == 1 && policy.example == "2")
  }

  /// With its own clock it does not run again before its period, and its fault lasts.
  @Test func aDeviceThatStaysDueWithoutRunningIsCountedAsLongAsTheDatabaseNamesIt() {
    var policy = StayedDuePolicy()
    policy.succeeded("1", startedAt: .zero, at: .seconds(1))
    for second in stride(from: 4, through: 2000, by: 1) { policy.named(["1"], askedAt: .seconds(second), period: .seconds(21_600)) }
    #expect(policy.count(at: .seconds(2000)) == 1)
    policy.named(["2"], askedAt: .seconds(2001), period: .seconds(21_600))
    #expect(policy.count(at: .seconds(2001)) == 0)
  }

  @Test func whatNobodyJudgesIsForgotten() {
    var policy = StayedDuePolicy()
    for id in 0..<20_000 { policy.succeeded("\(id)", startedAt: .zero, at: .seconds(1)) }
    _ = policy.count(at: .seconds(62))
    #expect(!policy.isWatching(askedAt: .seconds(100)))
  }
}
