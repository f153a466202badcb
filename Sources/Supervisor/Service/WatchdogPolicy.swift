/// When the supervisor may tell systemd that all is well, and when it may refresh the health file.
///
/// The two answer different questions. systemd restarts the service, so it must hear only of what a restart cures. The health file says
/// whether this node does its work; who reads it (a container's health check, a load balancer) decides what to do.
struct WatchdogPolicy: Equatable, Sendable {
  /// One wanted child, seen from outside.
  enum Condition: Equatable, Sendable, CaseIterable {
    case healthy
    case starting
    /// Waiting for its restart, or failed for good: the service is not better off after a restart of everything.
    case waitingForRestart
    case beingReplaced
    /// It beats and names an outside fault: SQL, Redis, fork refused.
    case outage
    /// It was told to die and did not; a new supervisor may be luckier than this one.
    case unkillable
  }

  /// Whether the node's main work gets done.
  enum Progress: Equatable, Sendable {
    case working
    /// Nothing is polled, and something should be.
    case nothing
  }

  /// From here on a node that polls nothing is no longer called healthy: the time of three attempts with the longest usual pause between them.
  static let patience = Duration.seconds(60)

  private var nothingSince: Duration?

  /// `now`: the service starts, and does nothing yet.
  init(now: Duration) {
    nothingSince = now
  }

  static func mayBeat(_ children: some Sequence<Condition>) -> Bool {
    children.allSatisfy { $0 != .unkillable }
  }

  mutating func observe(_ progress: Progress, now: Duration) {
    switch progress {
    case .working: nothingSince = nil
    case .nothing: nothingSince = nothingSince ?? now
    }
  }

  /// How long this node has been polling nothing; nil while it works.
  func idleFor(now: Duration) -> Duration? {
    nothingSince.map { now - $0 }
  }

  func mayRefreshHealthFile(_ children: some Sequence<Condition>, now: Duration) -> Bool {
    Self.mayBeat(children) && (idleFor(now: now) ?? .zero) < Self.patience
  }

  mutating func shift(by lateness: Duration) {
    nothingSince = nothingSince.map { $0 + lateness }
  }

  /// What one child's report says about its progress: it works if it runs jobs, or if nothing waits and nothing keeps it from starting one.
  static func progress(condition: Condition, slots: Int, busy: Int, hasWaiting: Bool) -> Progress {
    guard condition == .healthy else { return busy > 0 && condition == .outage ? .working : .nothing }
    return slots > 0 && busy == 0 && hasWaiting ? .nothing : .working
  }
}
