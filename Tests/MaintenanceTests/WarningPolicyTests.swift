import Testing

@testable import MaintenanceProc

@Suite struct WarningPolicyTests {
  /// What is said at which second, for looks at these seconds.
  private func play(
    _ looks: [(Int, WarningPolicy.Signal)], onset: Int = 10, calm: Int = 20
  ) -> [Int: WarningPolicy.Saying] {
    var policy = WarningPolicy()
    var said: [Int: WarningPolicy.Saying] = [:]
    for (second, signal) in looks {
      said[second] = policy.observe(signal, onset: .seconds(onset), calm: .seconds(calm), at: .seconds(second))
    }
    return said
  }

  @Test func aFaultIsSaidOnceWhenItHasLastedAndOnceWhenItIsOver() {
    let looks = (0...60).map { ($0, $0 < 30 ? WarningPolicy.Signal.bad : .good) }
    #expect(play(looks) == [10: .begun, 50: .over])
  }

  @Test func withoutAWaitItIsSaidAtOnce() {
    #expect(play([(0, .bad), (1, .good)], onset: 0, calm: 0) == [0: .begun, 1: .over])
  }

  @Test(arguments: [WarningPolicy.Signal.good, .unclear])
  func aBreakBeginsTheWaitAnew(_ other: WarningPolicy.Signal) {
    #expect(play([(0, .bad), (9, .bad), (10, other), (11, .bad), (20, .bad), (21, .bad)]) == [21: .begun])
  }

  @Test func aFigureThatSwingsAroundItsLimitIsOneWarning() {
    let swinging = (0...600).map { second -> (Int, WarningPolicy.Signal) in
      (second, second < 20 ? .bad : [.good, .unclear, .bad, .good][second / 5 % 4])
    }
    #expect(play(swinging) == [10: .begun])
    // Nor does it begin if it was never bad for long enough.
    #expect(play((0...600).map { ($0, $0 / 5 % 2 == 0 ? .bad : .good) }).isEmpty)
  }

  @Test func itIsRepeatedEachHourWhileItLasts() {
    let looks = stride(from: 0, through: 10_800, by: 60).map { ($0, WarningPolicy.Signal.bad) }
    #expect(play(looks, onset: 0) == [0: .begun, 3600: .lasting, 7200: .lasting, 10_800: .lasting])
    let unclear = [(0, WarningPolicy.Signal.bad), (3599, .unclear), (3600, .unclear), (3700, .unclear)]
    #expect(play(unclear, onset: 0) == [0: .begun, 3600: .lasting])
  }

  @Test func aSecondFaultIsANewWarning() {
    #expect(play([(0, .bad), (1, .good), (2, .bad)], onset: 0, calm: 0) == [0: .begun, 1: .over, 2: .begun])
  }

  @Test func nothingIsSaidOfWhatIsGoodOrUnknownFromTheStart() {
    #expect(play((0...100).map { ($0, .good) }).isEmpty)
    #expect(play((0...100).map { ($0, .unclear) }).isEmpty)
  }
}

@Suite struct ActiveWarningsTests {
  private func finding(_ key: String, _ signal: WarningPolicy.Signal, _ text: String) -> Finding {
    Finding(key: key, signal: signal, text: text, relief: "\(key) is over", onset: .zero, calm: .seconds(10))
  }

  @Test func theListHoldsWhatLastsWithItsLatestBadFigures() {
    var warnings = ActiveWarnings()
    let begun = warnings.observe(finding("b", .bad, "b 1"), at: .zero)
    #expect(begun?.saying == .begun && begun?.text == "b 1")
    _ = warnings.observe(finding("a", .bad, "a 1"), at: .zero)
    _ = warnings.observe(finding("c", .good, "c 1"), at: .zero)
    _ = warnings.observe(finding("b", .bad, "b 2"), at: .seconds(1))
    _ = warnings.observe(finding("b", .good, "b 0"), at: .seconds(2))
    #expect(warnings.texts == ["a 1", "b 2"])
    #expect(warnings.isUndecided("b") && !warnings.isUndecided("a") && !warnings.isUndecided("c") && !warnings.isUndecided("d"))
    let over = warnings.observe(finding("b", .good, "b 0"), at: .seconds(12))
    #expect(over?.saying == .over && over?.text == "b is over")
    warnings.forget("a")
    #expect(warnings.texts.isEmpty)
  }
}
