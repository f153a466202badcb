/// A reading of CLOCK_BOOTTIME: monotonic, runs through suspend, comparable between processes of one boot.
///
/// It is kept as nanoseconds because it also lives in the shared memory of the job table.
public struct MonotonicTime: Comparable, Hashable, Codable, Sendable {
  public var nanoseconds: Int64

  public init(nanoseconds: Int64) {
    self.nanoseconds = nanoseconds
  }

  public static func < (a: MonotonicTime, b: MonotonicTime) -> Bool { a.nanoseconds < b.nanoseconds }
  public static func + (a: MonotonicTime, b: Duration) -> MonotonicTime { MonotonicTime(nanoseconds: a.nanoseconds &+ b.nanoseconds) }
  public static func - (a: MonotonicTime, b: Duration) -> MonotonicTime { MonotonicTime(nanoseconds: a.nanoseconds &- b.nanoseconds) }
  public static func - (a: MonotonicTime, b: MonotonicTime) -> Duration { .nanoseconds(a.nanoseconds &- b.nanoseconds) }
}

extension Duration {
  /// Whole nanoseconds; saturates at about ±292 years.
  public var nanoseconds: Int64 {
    let (seconds, attoseconds) = components
    let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
    guard !overflow else { return seconds < 0 ? .min : .max }
    let (sum, overflowed) = product.addingReportingOverflow(attoseconds / 1_000_000_000)
    return overflowed ? (seconds < 0 ? .min : .max) : sum
  }

  /// Seconds with fraction, for reports and SQL parameters.
  public var inSeconds: Double { Double(nanoseconds) / 1e9 }

  /// Whole milliseconds, for logs.
  public var inMilliseconds: Int64 { nanoseconds / 1_000_000 }

  /// Saturates at about ±292 years; what is no number is zero.
  public init(seconds: Double) {
    let limit = 9.2e9
    guard !seconds.isNaN else {
      self = .zero
      return
    }
    self = .nanoseconds(Int64((min(max(seconds, -limit), limit) * 1e9).rounded()))
  }
}
