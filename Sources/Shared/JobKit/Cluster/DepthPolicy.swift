/// How many members wait for a node, as the server said last, and when to ask it again. Times are on any monotonic clock.
public struct DepthPolicy: Equatable, Sendable {
  /// A question at most this often: a node that takes nothing asks only for the sake of reports.
  public static let interval = Duration.seconds(10)
  /// A node that takes hears the figure with every take; as long as one is this young, there is no need to ask.
  public static let young = Duration.seconds(5)
  /// A report comes every 30 s; a figure that is older than that says nothing about the time since the last one.
  public static let limit = Duration.seconds(30)

  public private(set) var waiting = 0
  /// The lowest score of them; nil = nothing waits, or it is not known.
  public private(set) var lowest: Double?
  private var saidAt: Duration?
  private var askedAt: Duration?

  public init() {}

  /// The server said it, in answer to whatever question.
  public mutating func said(waiting: Int, lowest: Double?, at now: Duration) {
    self.waiting = waiting
    self.lowest = lowest
    saidAt = now
  }

  /// Whether to ask now; if so, it counts as asked.
  public mutating func shouldAsk(at now: Duration) -> Bool {
    if let saidAt, now - saidAt < Self.young { return false }
    if let askedAt, now - askedAt < Self.interval { return false }
    askedAt = now
    return true
  }

  public func isKnown(at now: Duration) -> Bool { saidAt.map { now - $0 <= Self.limit } ?? false }

  /// The connection ended: the next one asks at once.
  public mutating func lost() {
    saidAt = nil
    askedAt = nil
  }
}
