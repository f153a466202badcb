/// Whether this node leads, by what the server says of `dispatch.master`: events in, actions out. Times are on any monotonic clock.
///
/// Every child of a node asks for the same lock under the same owner, so each knows for itself, and a fault of one can't unseat the others.
///
/// Standing down is yielding, not abstaining: a node that is unfit gives the lock back and takes it again only when it has been free for a
/// while. So fit nodes win, and a node alone goes on leading.
///
/// | event              | unknown               | following      | leading            | resigning          |
/// |--------------------|-----------------------|----------------|--------------------|--------------------|
/// | turn, fit          | claim                 | claim          | claim              | abdicate, unknown  |
/// | turn, yielding     | look; claim after the | look           | claim              | abdicate, unknown  |
/// |                    | lock was free so long |                |                    |                    |
/// | turn, retired      | look                  | look           | –                  | abdicate, unknown  |
/// | claimed            | leading               | leading        | leading, renewed   | abdicate, unknown  |
/// | claimed, retired   | abdicate, unknown     | abdicate, unkn.| –                  | abdicate, unknown  |
/// | refused, sawOwner  | following             | following      | following          | following          |
/// | sawFree            | unknown, free since   | the same       | the same           | the same           |
/// | becameUnfit, retire| free since forgotten  | following      | resigning          | resigning          |
/// | lost               | unknown               | unknown        | unknown            | unknown            |
///
/// One claim is under way at a time, and has a number: the answer to one that does not count any more changes nothing.
struct LeadMachine: Equatable, Sendable {
  enum State: Equatable, Sendable {
    /// Not asked since the start or the last outage, or nobody holds the lock since `freeSince`.
    case unknown(freeSince: Duration?)
    case following(leader: String)
    /// The lock is ours since `since`; its lifetime counts from `renewedAt`.
    case leading(since: Duration, renewedAt: Duration)
    /// The lock is ours and has to go back.
    case resigning
  }

  enum Fitness: Equatable, Sendable {
    case fit
    /// A free lock is left to fitter nodes for so long.
    case yielding(patience: Duration)
    /// The service stops.
    case retired
  }

  enum Action: Equatable, Sendable {
    /// Ask for the lock, or renew it.
    case claim(number: Int)
    /// Only look who holds it.
    case look
    /// Give the lock back.
    case abdicate
  }

  /// How long a free lock is left to fitter nodes, before jitter: they ask each second.
  static let courtesy = Duration.seconds(2)
  /// What a leader that finds an empty server waits before it fills queues: the other nodes take the locks of their running jobs again.
  static let afterLoss = Duration.seconds(3)

  private(set) var state = State.unknown(freeSince: nil)
  private(set) var fitness = Fitness.fit
  /// Nothing is queued before: the server was found without its data.
  private var fillsFrom: Duration?
  private var claims = 0
  private var claimUnderWay: Int?

  /// May queues be filled now? Not once a renewal is so old that the lock may have lapsed.
  func leads(at now: Duration, ttl: Duration) -> Bool {
    guard case .leading(_, let renewedAt) = state, now - renewedAt < ttl else { return false }
    return fillsFrom.map { now >= $0 } ?? true
  }

  // MARK: Asking

  /// What to do now; asked each second.
  mutating func turn(at now: Duration) -> Action? {
    if state == .resigning { return abdicate() }
    return wantsLock(at: now) ? claim() : .look
  }

  /// The node works with the server from now on.
  mutating func joined(at now: Duration) -> Action? {
    state != .resigning && wantsLock(at: now) ? claim() : nil
  }

  private func wantsLock(at now: Duration) -> Bool {
    switch (fitness, state) {
    case (.fit, _), (.yielding, .leading): return true
    case (.yielding(let patience), .unknown(let freeSince?)): return now - freeSince >= patience
    case (.yielding, _): return false
    case (.retired, let state):
      if case .leading = state { preconditionFailure("a node that stops leads") }
      return false
    }
  }

  private mutating func claim() -> Action? {
    guard claimUnderWay == nil else { return nil }
    claims += 1
    claimUnderWay = claims
    return .claim(number: claims)
  }

  /// A claim that is under way was carried out before this.
  private mutating func abdicate() -> Action {
    state = .unknown(freeSince: nil)
    claimUnderWay = nil
    return .abdicate
  }

  // MARK: Answers

  /// Whether the answer to this claim counts; it is answered with that.
  mutating func answered(_ number: Int) -> Bool {
    guard claimUnderWay == number else { return false }
    claimUnderWay = nil
    return true
  }

  /// The lock is ours since the question that was asked at `asked`: its lifetime counts from there. To one that was on its way at the
  /// retirement, or when the node became unfit, the lock goes back, or it would be kept until the last script has ended.
  mutating func claimed(asked: Duration) -> Action? {
    if fitness == .retired || state == .resigning { return abdicate() }
    if case .leading(let since, _) = state {
      state = .leading(since: since, renewedAt: asked)
    } else {
      state = .leading(since: asked, renewedAt: asked)
    }
    return nil
  }

  mutating func refused(by owner: String) { state = .following(leader: owner) }

  /// What a look showed; nil = the lock is free.
  mutating func saw(owner: String?, at now: Duration) {
    if let owner { return refused(by: owner) }
    if case .unknown(_?) = state { return }
    state = .unknown(freeSince: now)
  }

  // MARK: Changes

  /// `jitter` from 0 to 3 s, so that nodes that yield together do not come back in step.
  mutating func change(isFit new: Bool, jitter: Duration) {
    guard fitness != .retired, new != (fitness == .fit) else { return }
    fitness = new ? .fit : .yielding(patience: Self.courtesy + jitter)
    if case .unknown = state { state = .unknown(freeSince: nil) }
    if !new { standDown() }
  }

  /// The service stops, whatever its fitness.
  mutating func retire() {
    fitness = .retired
    standDown()
  }

  private mutating func standDown() {
    if case .leading = state { state = .resigning }
  }

  /// The server went away, or the node has another name: what was known is worth nothing, nor is an answer that is on its way.
  mutating func lost() {
    state = .unknown(freeSince: nil)
    claimUnderWay = nil
  }

  /// The server is there and knows nothing of us.
  mutating func foundEmptyServer(at now: Duration) { fillsFrom = now + Self.afterLoss }
}
