import Core
import JobKit
import Testing

@Suite struct PerformanceCountersTests {
  private func at(_ seconds: Double) -> MonotonicTime { MonotonicTime(nanoseconds: Int64(seconds * 1e9)) }

  @Test func sumsSlideOverThePeriod() {
    var counters = PerformanceCounters(window: .seconds(60))
    for second in 0..<120 { counters.ended(duration: .seconds(2), failed: second % 10 == 0, at: at(Double(second))) }
    #expect(counters.done == 108)
    #expect(counters.failed == 12)
    let recent = counters.recent(at: at(119.5))
    #expect(recent.jobs == 60)
    #expect(recent.seconds == .seconds(120))
    #expect(counters.recent(at: at(149.5)).jobs == 30)
    #expect(counters.recent(at: at(1000)).jobs == 0)
  }

  @Test func endsThatNobodySawTellNothingAboutDurations() {
    var counters = PerformanceCounters(window: .seconds(60))
    for second in 0..<30 { counters.ended(duration: .seconds(9000), failed: false, wasSeen: false, at: at(Double(second))) }
    #expect(counters.usualLongest == nil && counters.done == 30)
    for second in 30..<60 { counters.ended(duration: .seconds(3), failed: true, at: at(Double(second))) }
    #expect(counters.usualLongest.map { $0 < .seconds(4) } ?? false)
  }

  @Test func theRampReachesAllSlotsAndNeverMore() {
    #expect(StartRamp.allowed(slots: 24, elapsed: .zero, adopted: 0) == 8)
    #expect(StartRamp.allowed(slots: 24, elapsed: .milliseconds(1500), adopted: 0) == 16)
    #expect(StartRamp.allowed(slots: 24, elapsed: .seconds(2), adopted: 0) == 24)
    #expect(StartRamp.allowed(slots: 24, elapsed: .seconds(1_000_000), adopted: 0) == 24)
    #expect(StartRamp.allowed(slots: 24, elapsed: .zero, adopted: 20) == 20)
    #expect(StartRamp.allowed(slots: 2, elapsed: .zero, adopted: 0) == 2)
  }
}
