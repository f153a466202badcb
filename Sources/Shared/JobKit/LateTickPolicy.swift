/// Ticks that did not have their run at their moment: how many there were, and when to say so. Times are on any monotonic clock.
public struct LateTickPolicy: Equatable, Sendable {
  /// A script that always takes longer than its period makes every tick late; that is one line in this time.
  public static let interval = Duration.seconds(600)

  /// Ticks that came while the last run was still going on: they had theirs as soon as it ended.
  public private(set) var late: UInt64 = 0
  /// Ticks that had no run of their own: they came while the one before was still waiting, or while nobody dispatched.
  public private(set) var missed: UInt64 = 0
  private var said: (late: UInt64, missed: UInt64, at: Duration)?

  public static func == (a: Self, b: Self) -> Bool {
    (a.late, a.missed, a.said?.at) == (b.late, b.missed, b.said?.at)
  }

  /// What is to be said: ticks since the last line.
  public struct Line: Equatable, Sendable {
    public var late: UInt64
    public var missed: UInt64

    public init(late: UInt64, missed: UInt64) {
      self.late = late
      self.missed = missed
    }
  }

  public init() {}

  /// Nobody dispatched for so many ticks; that has a line of its own.
  public mutating func nobodyDispatched(_ ticks: Int) { missed += UInt64(max(0, ticks)) }

  /// A tick came while the run before was not over. `isWaiting`: it had not even begun, so this tick's run is the same one.
  public mutating func cameEarly(isWaiting: Bool, at now: Duration) -> Line? {
    if isWaiting { missed += 1 } else { late += 1 }
    if let said, now - said.at < Self.interval { return nil }
    let line = Line(late: late - (said?.late ?? 0), missed: missed - (said?.missed ?? 0))
    said = (late, missed, now)
    return line
  }
}
