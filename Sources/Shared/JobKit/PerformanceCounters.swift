import Core

/// Jobs and worker seconds, in all and over the last period of the type.
public struct PerformanceCounters: Sendable {
  private struct Bucket: Sendable {
    var jobs = 0
    var seconds = Duration.zero
  }

  /// The window is kept in this many parts, so its error is at most one part.
  private static let parts = 60
  private var buckets = [Bucket](repeating: Bucket(), count: parts)
  private var current: Int64 = 0
  private var window: Duration

  public private(set) var done: UInt64 = 0
  public private(set) var failed: UInt64 = 0
  private var durations = DurationHistogram()

  /// `window`: the period of the type.
  public init(window: Duration) {
    self.window = max(window, .seconds(1))
  }

  /// A new window starts empty: sums over the old one would not be comparable.
  public mutating func change(window new: Duration) {
    guard max(new, .seconds(1)) != window else { return }
    window = max(new, .seconds(1))
    buckets = [Bucket](repeating: Bucket(), count: Self.parts)
  }

  /// `wasSeen`: its end was seen when it came, so the duration tells something about the job.
  public mutating func ended(duration: Duration, failed isFailure: Bool, wasSeen: Bool = true, at now: MonotonicTime) {
    if isFailure { failed += 1 } else { done += 1 }
    if wasSeen { durations.note(duration, window: window, at: now) }
    advance(to: now)
    buckets[Int(current % Int64(Self.parts))].jobs += 1
    buckets[Int(current % Int64(Self.parts))].seconds += duration
  }

  /// Jobs that ended within the window, and how long they ran together.
  public mutating func recent(at now: MonotonicTime) -> (jobs: Int, seconds: Duration) {
    advance(to: now)
    return buckets.reduce((0, .zero)) { ($0.0 + $1.jobs, $0.1 + $1.seconds) }
  }

  /// 95 of 100 jobs of the last periods took at most this long; nil = too few jobs.
  public var usualLongest: Duration? { durations.percentile(95) }

  private mutating func advance(to now: MonotonicTime) {
    let part = max(1, window.nanoseconds / Int64(Self.parts))
    let index = now.nanoseconds / part
    guard index > current else { return }
    for step in 0..<min(index - current, Int64(Self.parts)) { buckets[Int((index - step) % Int64(Self.parts))] = Bucket() }
    current = index
  }
}
