/// When a timer on epoch-aligned multiples of a period runs.
///
/// Runs are told apart by their index, floor(wall clock / period): never the same index twice, several missed ones are one run, and
/// after a backward jump of the clock the next run comes at most one period (and a tenth) of monotonic time after the last.
public struct TickPolicy: Equatable, Sendable {
  public var period: Duration
  /// Seconds since the epoch at which the last run's interval began; nil = there was none.
  public private(set) var lastBoundary: Int64?
  /// Monotonic time of the last run, for backward jumps of the wall clock; nil = it was in an earlier incarnation.
  private var lastRun: Duration?

  /// A clock that is only made to run slower, to be right again, is behind by less than this part of a period.
  private static let slewing = 10

  public enum Decision: Equatable, Sendable {
    case wait(Duration)
    /// `missed`: further boundaries that passed without a run.
    case run(boundary: Int64, missed: Int)
  }

  /// `lastBoundary` of an earlier incarnation; without one the first run is at the next boundary.
  public init(period: Duration, lastBoundary: Int64?) {
    self.period = max(period, .seconds(1))
    self.lastBoundary = lastBoundary
  }

  private var seconds: Int64 { max(1, period.components.seconds) }

  /// What to do at this moment. `wall` since the epoch, `monotonic` on any monotonic clock.
  public mutating func decide(wall: Duration, monotonic: Duration) -> Decision {
    let now = wall.components.seconds
    // Rounded down also before 1970, where a run's own offset leads on a machine without a clock of its own.
    let boundary = now - ((now % seconds) + seconds) % seconds
    guard let last = lastBoundary else {
      lastBoundary = boundary
      lastRun = monotonic
      return .wait(untilNext(wall, boundary))
    }
    let previous = last - last % seconds
    if boundary > previous {
      return .run(boundary: boundary, missed: Int(clamping: (boundary - previous) / seconds - 1))
    }
    if boundary < previous {
      // The clock went back: its boundaries up to the last run's have been served, but nobody waits longer than a period for that.
      let since = lastRun ?? monotonic
      if lastRun == nil { lastRun = monotonic }
      let elapsed = monotonic - since
      if elapsed >= period { return .run(boundary: boundary, missed: 0) }
      return .wait(min(period - elapsed, untilNext(wall, boundary)))
    }
    // Set back into the interval of the last run, the clock would make the next one come up to a period late.
    guard let lastRun else { return .wait(untilNext(wall, boundary)) }
    let left = lastRun + period + period / Self.slewing - monotonic
    return left <= .zero ? .run(boundary: boundary, missed: 0) : .wait(min(left, untilNext(wall, boundary)))
  }

  /// Notes that the run of a boundary was begun.
  public mutating func ran(boundary: Int64, monotonic: Duration) {
    lastBoundary = boundary
    lastRun = monotonic
  }

  private func untilNext(_ wall: Duration, _ boundary: Int64) -> Duration {
    .seconds(boundary + seconds) - wall
  }
}
