import Core
import Redis

/// Whether this service is the one that works under its node's name, and what is said when it is not, or when nothing works.
extension RedisCoordinator {
  /// Asks for the mark and goes on when it is ours.
  func askForMark(_ round: Int, _ goOn: @escaping () -> Void) {
    let asked = loop.now
    commands.setMark(lifetime: markLifetime.whole) { [weak self] result in
      guard let self, reconciling, round == self.round else { return }
      switch result {
      case .success(.ours):
        markKeptAt = asked
        complain(.mark, of: nil)
        if twin != nil { say("the other service under this node's name is gone: this one works now") }
        twin = nil
        goOn()
      case .success(.taken(let other)):
        standBack()
        // Its mark changes with each of its connections.
        let table = String(other.prefix { $0 != "/" })
        if twin != table { say("\(Self.twinWords). This one waits, and looks each second", isWarning: true) }
        twin = table
      case .failure(let error):
        // A user who may use the contract's keys and no other can work as a Python node does.
        guard error.kind == .noPermission, !commands.isFenced else {
          reconciling = false
          return complain(.mark, of: error)
        }
        complain(.protection, of: error)
        isUnprotected = true
        goOn()
      }
    }
  }

  static let twinWords =
    "another service works under this node's name: NODE_ID, host name and directory are the same. Stop one of them, or give it a NODE_ID "
    + "of its own in .env"

  /// The server does not take us for the one that works here: looked at anew.
  func standBack() {
    reconciled = false
    reconciling = false
    mastershipLost()
  }

  /// Something was refused because of the mark.
  func foundStale() {
    guard link.isUp, !hasLeft, reconciled else { return }
    standBack()
    reconcile()
  }

  /// A mark lives on with each claim for the lead; who does not claim renews it by itself.
  func keepMark(at now: MonotonicTime) {
    guard now - markKeptAt >= markLifetime.renewal, !isKeepingMark, !isUnprotected else { return }
    isKeepingMark = true
    commands.keepMark(lifetime: markLifetime.whole) { [weak self] result in
      self?.isKeepingMark = false
      if case .success = result { self?.markKeptAt = now }
    }
  }

  /// With plain commands nothing else asks before something is written.
  var believesInMark: Bool { commands.isFenced || isUnprotected || loop.now - markKeptAt < markLifetime.whole }

  // MARK: What does not work

  /// What can fail again and again.
  enum Concern: String {
    case mark = "say in Redis that this node works"
    case protection = "keep another service from working under this node's name"
    case take = "take work from Redis"
    case queue = "queue work in Redis"
    case lead = "ask Redis who dispatches"
    case notes = "read in Redis what was taken and not ended"
    case end = "release locks in Redis"

    /// With it no job starts, or none is queued.
    var stopsWork: Bool { self != .protection && self != .notes && self != .end }
  }

  /// An error that is no outage comes again with every try: said when it begins. nil = it worked.
  func complain(_ what: Concern, of error: RedisError?) {
    if let error, error.isStale { return }
    let text = error.flatMap { $0.isOutage ? nil : $0.text }
    guard complaints[what] != text else { return }
    complaints[what] = text
    if let text { log.error("can't \(what.rawValue): \(text)") }
  }

  public var fault: String? {
    guard link.isUp else { return nil }
    if twin != nil { return Self.twinWords }
    let worst = complaints.filter(\.key.stopsWork).min { $0.key.rawValue < $1.key.rawValue }
    return worst.map { "can't \($0.key.rawValue): \($0.value)" }
  }

  /// What is the same for all children of a node is said by one of them.
  func say(_ text: String, isWarning: Bool = false) {
    log.log(level: !speaksForNode ? .debug : isWarning ? .warning : .info, "\(text)")
  }
}
