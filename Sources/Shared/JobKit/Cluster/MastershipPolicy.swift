/// Whether this node leads, by what the server says of `dispatch.master`. Times are on any monotonic clock.
///
/// Every child of a node asks for the same lock under the same owner, so each knows for itself, and a fault of one can't unseat the others.
///
/// Standing down is yielding, not abstaining: a node that is unfit gives the lock back and takes it again only when it has been free for a
/// while. So fit nodes win, and a node alone goes on leading.
public struct MastershipPolicy: Equatable, Sendable {
  public enum State: Equatable, Sendable {
    /// Not asked since the start or the last outage.
    case unknown
    case following(leader: String)
    case leading(since: Duration)
  }

  public enum Action: Equatable, Sendable {
    /// Ask for the lock, or renew it.
    case claim
    /// Only look who holds it.
    case look
    /// Give the lock back.
    case abdicate
  }

  /// How long a free lock is left to fitter nodes, before jitter: they ask each second.
  public static let courtesy = Duration.seconds(2)
  /// What a leader that finds an empty server waits before it fills queues: the other nodes take the locks of their running jobs again.
  public static let afterLoss = Duration.seconds(3)

  public private(set) var state = State.unknown
  private var isFit = true
  private var mustAbdicate = false
  private var isRetired = false
  private var patience = Duration.zero
  private var freeSince: Duration?
  private var waitsUntil: Duration?
  private var renewedAt: Duration?

  public init() {}

  /// May queues be filled now? Not once a renewal is so old that the lock may have lapsed.
  public func leads(at now: Duration, ttl: Duration) -> Bool {
    guard case .leading = state, !mustAbdicate, let renewedAt, now - renewedAt < ttl else { return false }
    return waitsUntil.map { now >= $0 } ?? true
  }

  /// What to do now; asked each second.
  public func turn(at now: Duration) -> Action {
    if mustAbdicate { return .abdicate }
    if isFit { return .claim }
    if case .leading = state { return .claim }
    if let freeSince, now - freeSince >= patience { return .claim }
    return .look
  }

  /// `jitter` from 0 to 3 s, so that nodes that yield together do not come back in step.
  public mutating func change(isFit new: Bool, jitter: Duration) {
    guard new != isFit else { return }
    isFit = new
    freeSince = nil
    patience = Self.courtesy + jitter
    if !new, case .leading = state { mustAbdicate = true }
  }

  /// The service stops, whatever its fitness.
  public mutating func retire() {
    isFit = false
    isRetired = true
    patience = .seconds(1_000_000_000)
    if case .leading = state { mustAbdicate = true }
  }

  /// The lock is ours since the question that was asked at `asked`: its lifetime counts from there.
  public mutating func claimed(asked: Duration) {
    renewedAt = asked
    freeSince = nil
    // A question that was on its way at the retirement: the lock goes back, or it would be kept until the last script has ended.
    if isRetired { mustAbdicate = true }
    if case .leading = state { return }
    state = .leading(since: asked)
  }

  public mutating func refused(by owner: String) {
    state = .following(leader: owner)
    renewedAt = nil
    freeSince = nil
    mustAbdicate = false
  }

  /// What a look showed; nil = the lock is free.
  public mutating func saw(owner: String?, at now: Duration) {
    if let owner { return refused(by: owner) }
    state = .unknown
    if freeSince == nil { freeSince = now }
  }

  public mutating func abdicated() {
    state = .unknown
    renewedAt = nil
    freeSince = nil
    mustAbdicate = false
  }

  /// The server went away: what was known is worth nothing.
  public mutating func lost() {
    abdicated()
  }

  /// The server is there and knows nothing of us.
  public mutating func foundEmptyServer(at now: Duration) { waitsUntil = now + Self.afterLoss }
}
