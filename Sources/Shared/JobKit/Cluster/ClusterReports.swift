import Core
import Logging
import Redis

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

/// The log lines of coordination that must not come with each try, and the faults that go with the heartbeat while they last.
final class ClusterReports {
  private let log: Logger
  /// This child says what is the same for all children of a node.
  private let speaksForNode: Bool
  /// Errors that were logged and last, by what failed.
  private var lasting: [Concern: String] = [:]

  init(log: Logger, speaksForNode: Bool) {
    self.log = log
    self.speaksForNode = speaksForNode
  }

  /// An error that is no outage comes again with every try: logged when it begins. nil = it worked.
  func result(of what: Concern, _ error: RedisError?) {
    if let error, error.isStale { return }
    let text = error.flatMap { $0.isOutage ? nil : $0.text }
    guard lasting[what] != text else { return }
    lasting[what] = text
    if let text { log.error("can't \(what.rawValue): \(text)") }
  }

  func forget() { lasting = [:] }

  /// The fault that keeps this node from working, if there is one.
  var fault: String? {
    let worst = lasting.filter(\.key.stopsWork).min { $0.key.rawValue < $1.key.rawValue }
    return worst.map { "can't \($0.key.rawValue): \($0.value)" }
  }

  /// What is the same for all children of a node is said by one of them.
  func say(_ text: String, isWarning: Bool = false) {
    log.log(level: !speaksForNode ? .debug : isWarning ? .warning : .info, "\(text)")
  }
}
