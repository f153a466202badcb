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
}
