import JobKit
import Testing

@Suite struct TickPolicyTests {
  private func decide(_ tick: inout TickPolicy, wall: Int64, at monotonic: Int64) -> TickPolicy.Decision {
    tick.decide(wall: .seconds(wall), monotonic: .seconds(monotonic))
  }

  @Test func theFirstRunIsAtTheNextBoundary() {
    var tick = TickPolicy(period: .seconds(60), lastBoundary: nil)
    #expect(decide(&tick, wall: 1030, at: 0) == .wait(.seconds(50)))
    #expect(decide(&tick, wall: 1080, at: 50) == .run(boundary: 1080, missed: 0))
  }

  @Test func noBoundaryRunsTwice() {
    var tick = TickPolicy(period: .seconds(60), lastBoundary: 1020)
    #expect(decide(&tick, wall: 1080, at: 0) == .run(boundary: 1080, missed: 0))
    tick.ran(boundary: 1080, monotonic: .seconds(0))
    for second in 1081..<1140 {
      #expect(decide(&tick, wall: Int64(second), at: Int64(second - 1080)) == .wait(.seconds(1140 - Int64(second))))
    }
    #expect(decide(&tick, wall: 1140, at: 60) == .run(boundary: 1140, missed: 0))
  }

  @Test func severalMissedBoundariesAreOneRun() {
    var tick = TickPolicy(period: .seconds(60), lastBoundary: 1020)
    #expect(decide(&tick, wall: 1330, at: 0) == .run(boundary: 1320, missed: 4))
  }

  @Test func aTickThatASuccessorFindsMissedRunsAtOnce() {
    var tick = TickPolicy(period: .seconds(60), lastBoundary: 1020)
    #expect(decide(&tick, wall: 1081, at: 5) == .run(boundary: 1080, missed: 0))
  }

  @Test func aBackwardJumpDelaysTheNextRunByOnePeriodAtMost() {
    var tick = TickPolicy(period: .seconds(60), lastBoundary: 7140)
    tick.ran(boundary: 7200, monotonic: .seconds(100))
    // The clock went back an hour.
    #expect(decide(&tick, wall: 3630, at: 110) == .wait(.seconds(30)))
    #expect(decide(&tick, wall: 3660, at: 140) == .wait(.seconds(20)))
    #expect(decide(&tick, wall: 3680, at: 160) == .run(boundary: 3660, missed: 0))
    tick.ran(boundary: 3660, monotonic: .seconds(160))
    #expect(decide(&tick, wall: 3720, at: 200) == .run(boundary: 3720, missed: 0))
  }

  @Test func aForwardJumpIsOneRun() {
    var tick = TickPolicy(period: .seconds(300), lastBoundary: 600)
    #expect(decide(&tick, wall: 100_000, at: 1) == .run(boundary: 99_900, missed: 330))
    tick.ran(boundary: 99_900, monotonic: .seconds(1))
    #expect(decide(&tick, wall: 100_001, at: 2) == .wait(.seconds(199)))
  }

  @Test func anotherPeriodAlignsToItsOwnBoundaries() {
    var tick = TickPolicy(period: .seconds(100), lastBoundary: 1080)
    #expect(decide(&tick, wall: 1095, at: 0) == .wait(.seconds(5)))
    #expect(decide(&tick, wall: 1100, at: 5) == .run(boundary: 1100, missed: 0))
  }

  /// Whatever a clock is set to, and however often: a run is never further away than a period and a tenth, before 1970 too.
  @Test(arguments: [60, 300, 21600])
  func nobodyWaitsLongerThanAPeriodHoweverTheClockIsSet(period: Int64) {
    var tick = TickPolicy(period: .seconds(period), lastBoundary: nil)
    let base: Int64 = 1_800_000_000
    let steps = [0, 3600, -3600, 864_000, -864_000, 2_208_988_800 - base, 10 - base, -50 - base, -3000 - base, 0]
    var monotonic: Int64 = 1000
    for step in steps {
      var waited: Int64 = 0
      while case .wait(let wait) = decide(&tick, wall: base + step + waited, at: monotonic) {
        #expect(wait > .zero && wait <= .seconds(period + period / 10), "\(step): \(wait)")
        let seconds = max(1, wait.components.seconds)
        (waited, monotonic) = (waited + seconds, monotonic + seconds)
        guard waited <= 2 * period else { break }
      }
      #expect(waited <= period + period / 10, "\(step): \(waited) s")
      if case .run(let boundary, _) = decide(&tick, wall: base + step + waited, at: monotonic) {
        tick.ran(boundary: boundary, monotonic: .seconds(monotonic))
      }
    }
  }
}
