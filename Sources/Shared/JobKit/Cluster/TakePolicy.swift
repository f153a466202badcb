/// Whether it is worth to ask the server for work, by what its answers and its invalidations say. Times are on any monotonic clock.
///
/// Each take costs a command and a round trip. Of many free slots one asks first; its answer says for how many more there is something. Once
/// nothing waits, nobody asks until something is told, or until the caller looks again for want of being told.
public struct TakePolicy: Equatable, Sendable {
  /// Between two requests to be told of changes: under load a queue runs empty many times a second, and each request is two commands.
  public static let trackingPause = Duration.milliseconds(250)

  /// Members that waited when the server answered last; nil = not known.
  private var waiting: Int?
  /// The server's last answer left something behind.
  public private(set) var isHeldUp = false
  private var mayTrackAt = Duration.zero

  public init() {}

  /// Nothing waits, as far as is known.
  public var isDry: Bool { waiting == 0 }

  /// How many takes more are worth it while so many are under way: one to look, or one for each member that waits.
  public func worthwhile(underWay: Int) -> Int { max(underWay == 0 ? 1 : 0, (waiting ?? 0) - underWay) }

  /// A take was answered; nil = the answer does not tell.
  public mutating func answered(waiting: Int?) {
    self.waiting = waiting
    isHeldUp = waiting.map { $0 > 0 } ?? false
  }

  /// Something may be there: it was enqueued or told, or nothing would tell of it.
  public mutating func doubt() { waiting = nil }

  /// Zero = ask to be told now, which counts as asked; else when.
  public mutating func pauseBeforeTracking(at now: Duration) -> Duration {
    guard now >= mayTrackAt else { return mayTrackAt - now }
    mayTrackAt = now + Self.trackingPause
    return .zero
  }
}
