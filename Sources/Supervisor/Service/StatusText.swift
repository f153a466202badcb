import Core

/// The one line that `systemctl status` shows.
struct StatusText: Equatable, Sendable {
  struct Line: Equatable, Sendable {
    var type: String
    /// nil: the child runs; else a few words about what it does instead.
    var trouble: String?
    var busy = 0
    var slots = 0
    var queued = 0
    var oldestDue: Duration?
    /// Names of the outside faults it reports.
    var outages: [String] = []
    /// Why it does not do its work although its servers answer.
    var fault: String?
  }

  /// What the service is doing before and beside its work.
  enum Phase: Equatable, Sendable {
    case starting
    /// Nothing can be done until this is over.
    case waiting(String)
    case working
    case draining(jobs: Int)
  }

  /// systemd takes much more, but a terminal shows one line.
  static let longest = 240

  static func render(_ phase: Phase, _ lines: [Line]) -> String {
    let details = lines.map(describe).joined(separator: "; ")
    let text: String
    switch phase {
    case .starting: text = details.isEmpty ? "starting" : "starting: " + details
    case .waiting(let reason): text = "waiting for " + reason
    case .working: text = details.isEmpty ? "no type is enabled on this node" : details
    case .draining(let jobs):
      text = "stopping: " + (jobs == 0 ? "all jobs done" : jobs == 1 ? "1 job still runs" : "\(jobs) jobs still run")
    }
    return clip(text)
  }

  private static func describe(_ line: Line) -> String {
    if let trouble = line.trouble { return "\(line.type) \(trouble)" }
    var text = "\(line.type) \(line.busy)/\(line.slots) busy"
    if line.queued > 0 { text += ", \(line.queued) waiting" }
    if let oldest = line.oldestDue, oldest >= .seconds(1) { text += ", oldest due \(age(oldest)) ago" }
    if !line.outages.isEmpty { text += ", no " + line.outages.joined(separator: " and no ") }
    if let fault = line.fault { text += ", DOES NOT DO ITS WORK: " + fault }
    return text
  }

  /// A duration as people say it: `45 s`, `12 min`, `3 h 5 min`, `2 d 4 h`.
  static func age(_ duration: Duration) -> String {
    let seconds = max(0, duration.components.seconds)
    switch seconds {
    case ..<120: return "\(seconds) s"
    case ..<7200: return "\(seconds / 60) min"
    case ..<172_800: return seconds % 3600 < 60 ? "\(seconds / 3600) h" : "\(seconds / 3600) h \(seconds % 3600 / 60) min"
    default: return seconds % 86400 < 3600 ? "\(seconds / 86400) d" : "\(seconds / 86400) d \(seconds % 86400 / 3600) h"
    }
  }

  /// The same in at most five characters, for tables: `45s`, `12m`, `3h05`, `2d4h`.
  static func shortAge(_ duration: Duration) -> String {
    let seconds = max(0, duration.components.seconds)
    switch seconds {
    case ..<120: return "\(seconds)s"
    case ..<7200: return "\(seconds / 60)m"
    case ..<86400: return "\(seconds / 3600)h" + (seconds % 3600 / 60 < 10 ? "0" : "") + "\(seconds % 3600 / 60)"
    default: return seconds < 864_000 ? "\(seconds / 86400)d\(seconds % 86400 / 3600)h" : "\(seconds / 86400)d"
    }
  }

  /// One line without control characters: a line break would be a second assignment in the message to systemd, an escape sequence a
  /// command to the operator's terminal.
  static func clip(_ text: String) -> String { clip(text, to: longest) }

  static func clip(_ text: String, to longest: Int) -> String {
    let flat = VisibleText.of(String(text.unicodeScalars.prefix(4 * longest)))
    return flat.count <= longest ? flat : flat.prefix(longest - 1) + "…"
  }
}
