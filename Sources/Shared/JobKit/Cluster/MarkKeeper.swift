import Core
import Redis

/// Whether this service is the one that works under its node's name: sets the mark (`NodeMark`), keeps it, gives it back.
///
/// States: unknown → ours(since the confirmed question was asked) by `ask` and by `confirmed`; → unprotected where the mark's key is not
/// allowed; → taken by another service, a twin, until an `ask` finds it gone. A lost connection makes unprotected unknown again.
final class MarkKeeper {
  private enum State: Equatable {
    case unknown
    case ours(since: MonotonicTime)
    /// We may not use the mark's key, and work without it.
    case unprotected
    /// Another service is alive under this node's name, with this job table.
    case taken(table: String)
  }

  /// What an `ask` came to.
  enum Outcome {
    case mayWork
    case taken
    case failed
  }

  static let twinWords =
    "another service works under this node's name: NODE_ID, host name and directory are the same. Stop one of them, or give it a NODE_ID "
    + "of its own in .env"

  let lifetime: MarkLifetime
  private let commands: ClusterClient
  private let reports: ClusterReports
  private var state = State.unknown
  private var renewalIsUnderWay = false
  private var loop: EventLoop { commands.context.loop }

  init(_ commands: ClusterClient, _ reports: ClusterReports, lifetime: MarkLifetime) {
    self.commands = commands
    self.reports = reports
    self.lifetime = lifetime
  }

  var isTaken: Bool { if case .taken = state { true } else { false } }

  /// With plain commands nothing else asks before something is written.
  var isBelieved: Bool {
    if commands.isFenced { return true }
    switch state {
    case .ours(let since): return loop.now - since < lifetime.whole
    case .unprotected: return true
    case .unknown, .taken: return false
    }
  }

  /// Asks for the mark. `isCurrent`: whether the answer counts when it comes.
  func ask(isCurrent: @escaping () -> Bool, _ answer: @escaping (Outcome) -> Void) {
    let asked = loop.now
    commands.setMark(lifetime: lifetime.whole) { [weak self] result in
      guard let self, isCurrent() else { return }
      switch result {
      case .success(.ours):
        reports.result(of: .mark, nil)
        if isTaken { reports.say("the other service under this node's name is gone: this one works now") }
        state = .ours(since: asked)
        answer(.mayWork)
      case .success(.taken(let other)):
        // Its mark changes with each of its connections.
        let new = State.taken(table: String(other.prefix { $0 != "/" }))
        if state != new { reports.say("\(Self.twinWords). This one waits, and looks each second", isWarning: true) }
        state = new
        answer(.taken)
      case .failure(let error):
        // A user who may use the contract's keys and no other can work as a Python node does.
        guard error.kind == .noPermission, !commands.isFenced else {
          reports.result(of: .mark, error)
          return answer(.failed)
        }
        reports.result(of: .protection, error)
        state = .unprotected
        answer(.mayWork)
      }
    }
  }

  /// A mark lives on with each claim for the lead, where the server compares it; who does not claim renews it by itself.
  func confirmed(since: MonotonicTime) {
    if commands.isFenced, case .ours = state { state = .ours(since: since) }
  }

  /// To be called each second while this node works.
  func keep(at now: MonotonicTime) {
    guard case .ours(let since) = state, now - since >= lifetime.renewal, !renewalIsUnderWay else { return }
    renewalIsUnderWay = true
    commands.keepMark(lifetime: lifetime.whole) { [weak self] result in
      guard let self else { return }
      renewalIsUnderWay = false
      if case .success = result, case .ours = state { state = .ours(since: now) }
    }
  }

  func connectionChanged() {
    renewalIsUnderWay = false
    if state == .unprotected { state = .unknown }
  }
}
