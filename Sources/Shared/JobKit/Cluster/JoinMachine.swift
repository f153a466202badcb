/// Whether this node works with the server: events in, actions out.
///
/// Before work there is a reconciliation (`RedisCoordinator.reconcile`), a series of questions under one number, the round. An answer counts
/// only in its round. A node that works goes on while it checks once more.
///
/// | event          | apart   | joining | working  | checking | left |
/// |----------------|---------|---------|----------|----------|------|
/// | begin          | joining | –       | checking | –        | –    |
/// | settled        | –       | working | –        | working  | –    |
/// | interrupted    | –       | apart   | –        | working  | –    |
/// | standBack      | apart   | apart   | apart    | apart    | –    |
/// | connectionLost | apart   | apart   | apart    | apart    | –    |
/// | leave          | left    | left    | left     | left     | left |
/// – changes nothing.
struct JoinMachine: Equatable, Sendable {
  enum State: Equatable, Sendable {
    case apart
    case joining(round: Int)
    case working
    case checking(round: Int)
    /// The last script has ended: whoever waits for the node's name may have it.
    case left
  }

  private(set) var state = State.apart
  private var rounds = 0

  /// Work is taken, queues are filled.
  var isWorking: Bool {
    switch state {
    case .working, .checking: true
    case .apart, .joining, .left: false
    }
  }

  var hasLeft: Bool { state == .left }

  /// The round to ask in; nil = one is under way, or the node has left.
  mutating func begin() -> Int? {
    switch state {
    case .apart:
      rounds += 1
      state = .joining(round: rounds)
    case .working:
      rounds += 1
      state = .checking(round: rounds)
    case .joining, .checking, .left: return nil
    }
    return rounds
  }

  func isCurrent(_ round: Int) -> Bool { state == .joining(round: round) || state == .checking(round: round) }

  mutating func settled() {
    switch state {
    case .joining, .checking: state = .working
    case .apart, .working, .left: break
    }
  }

  /// The server refused a part: tried again.
  mutating func interrupted() {
    switch state {
    case .joining: state = .apart
    case .checking: state = .working
    case .apart, .working, .left: break
    }
  }

  /// The server does not take us for the one that works under this name, or the connection came or went.
  mutating func standBack() {
    if state != .left { state = .apart }
  }

  mutating func leave() { state = .left }
}
