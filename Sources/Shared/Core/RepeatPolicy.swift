/// How often an event is said that may come again and again: twice, then once a minute with the number of those in between.
///
/// Times are readings of any monotonic clock.
public struct RepeatPolicy: Equatable, Sendable {
  /// Events in a row that are said one by one.
  public static let burst = 2
  /// One more may be said after this time.
  public static let recovery = Duration.seconds(60)

  private var credit = recovery * burst
  private var creditAt: Duration?
  private var unsaid = 0

  public init() {}

  /// It happened. How often since it was said last, this time included; nil = it is not to be said now.
  public mutating func happened(at now: Duration) -> Int? {
    let earned = creditAt.map { now - $0 } ?? .zero
    credit = min(Self.recovery * Self.burst, credit + max(.zero, earned))
    creditAt = now
    unsaid += 1
    guard credit >= Self.recovery else { return nil }
    credit -= Self.recovery
    defer { unsaid = 0 }
    return unsaid
  }
}
