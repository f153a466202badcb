import Core
import Glibc

/// How long the jobs of the last periods took, as counts in buckets that each end 9 % above the last: 1.4 KiB for any number of jobs.
///
/// Two generations, so that what is old goes without a list of all jobs: at a turn the newer one becomes the older one.
public struct DurationHistogram: Sendable {
  /// With fewer the slowest one alone would decide.
  public static let fewest: UInt32 = 20
  /// A type that has not come to enough jobs within so many periods starts anew all the same.
  private static let longestGeneration: Int32 = 24
  private static let shortest = Duration.milliseconds(50)
  private static let partsPerDoubling = 8.0
  /// Up to 27 hours; longer ones count as that.
  private static let buckets = 168

  private var newer = [UInt32](repeating: 0, count: buckets)
  private var older = [UInt32](repeating: 0, count: buckets)
  private var count: UInt32 = 0
  private var olderCount: UInt32 = 0
  private var beganAt: MonotonicTime?

  public init() {}

  /// `window`: the period of the type. A generation lasts at least that long, and until it tells something.
  public mutating func note(_ duration: Duration, window: Duration, at now: MonotonicTime) {
    let age = now - (beganAt ?? now)
    if beganAt == nil || age >= window && (count >= Self.fewest || age >= window * Self.longestGeneration) {
      if beganAt != nil { (older, olderCount) = (newer, count) }
      newer = [UInt32](repeating: 0, count: Self.buckets)
      count = 0
      beganAt = now
    }
    newer[Self.bucket(duration)] &+= 1
    count &+= 1
  }

  /// So many of a hundred jobs took at most this long; nil = too few jobs for a figure.
  public func percentile(_ percent: Double) -> Duration? {
    let total = Double(count) + Double(olderCount)
    guard total >= Double(Self.fewest) else { return nil }
    let wanted = total * min(max(percent, 0), 100) / 100
    var seen = 0.0
    for index in 0..<Self.buckets {
      let here = Double(newer[index]) + Double(older[index])
      guard here > 0 else { continue }
      if seen + here >= wanted {
        let part = (wanted - seen) / here
        return Self.shortest * exp2((Double(index) - 1 + part) / Self.partsPerDoubling)
      }
      seen += here
    }
    return nil
  }

  /// Bucket n holds what is over `shortest` × 2^((n-1)/8) and at most × 2^(n/8).
  private static func bucket(_ duration: Duration) -> Int {
    guard duration > shortest else { return 0 }
    let position = log2(duration.inSeconds / shortest.inSeconds) * partsPerDoubling
    return min(buckets - 1, Int(position.rounded(.up)))
  }
}
