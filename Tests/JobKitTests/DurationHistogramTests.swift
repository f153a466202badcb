import Core
import JobKit
import Testing

@Suite struct DurationHistogramTests {
  private func at(_ seconds: Double) -> MonotonicTime { MonotonicTime(nanoseconds: Int64(seconds * 1e9)) }

  @Test func fewJobsGiveNoFigure() {
    var histogram = DurationHistogram()
    for second in 0..<19 { histogram.note(.seconds(3), window: .seconds(300), at: at(Double(second))) }
    #expect(histogram.percentile(95) == nil)
    histogram.note(.seconds(3), window: .seconds(300), at: at(20))
    #expect(histogram.percentile(95) != nil)
  }

  /// Hundred jobs of 1 to 100 times the unit.
  @Test(arguments: [0.1, 1, 30, 600])
  func thePercentileIsRightToATenth(unit: Double) throws {
    var histogram = DurationHistogram()
    for number in 1...100 { histogram.note(.seconds(unit * Double(number)), window: .seconds(300), at: at(Double(number))) }
    for percent in [50.0, 95, 99] {
      let found = try #require(histogram.percentile(percent))
      #expect(abs(found / .seconds(unit * percent) - 1) < 0.1, "\(found)")
    }
  }

  @Test func oneSlowJobInAHundredDoesNotCount() throws {
    var histogram = DurationHistogram()
    for number in 1...100 { histogram.note(number == 50 ? .seconds(3600) : .seconds(2), window: .seconds(300), at: at(Double(number))) }
    let found = try #require(histogram.percentile(95))
    #expect(found < .seconds(2.2) && found > .seconds(1.8))
  }

  @Test func extremesAreKept() throws {
    var histogram = DurationHistogram()
    for number in 0..<20 { histogram.note(.zero, window: .seconds(1), at: at(Double(number) / 100)) }
    #expect(try #require(histogram.percentile(95)) <= .milliseconds(50))
    for number in 0..<400 { histogram.note(.seconds(400_000), window: .seconds(1), at: at(Double(number) / 1000)) }
    #expect(try #require(histogram.percentile(95)) > .seconds(80_000))
  }

  @Test func whatIsOlderThanTwoPeriodsIsForgotten() throws {
    var histogram = DurationHistogram()
    for second in 0..<100 { histogram.note(.seconds(50), window: .seconds(60), at: at(Double(second))) }
    for second in 100..<300 { histogram.note(.seconds(1), window: .seconds(60), at: at(Double(second))) }
    #expect(try #require(histogram.percentile(95)) < .seconds(2))
  }

  @Test func aJobAPeriodComesToAFigureToo() throws {
    var histogram = DurationHistogram()
    for minute in 0..<20 { histogram.note(.seconds(70), window: .seconds(60), at: at(Double(minute) * 60)) }
    #expect(try #require(histogram.percentile(95)) > .seconds(60))
  }
}
