/// What the service manager is to be told and has not taken yet.
///
/// Its socket may be full, so every message may have to be sent again. Each kind is therefore kept once, with its latest value; only the
/// phases keep their order, since "reloading" and "ready" mean nothing the other way round.
struct NotificationPlan: Equatable, Sendable {
  enum Phase: Equatable, Sendable {
    case ready
    /// When the reload began, by CLOCK_MONOTONIC.
    case reloading(microseconds: Int)
    case stopping
  }

  private(set) var phases: [Phase] = []
  private var status: String?
  private var beats = false
  private var timeExtension: Int64?

  mutating func enter(_ phase: Phase) {
    if case .reloading = phase {
      // Nobody has heard of an earlier reload: it is one with this one.
      if phases.count >= 2, phases.last == .ready, case .reloading = phases[phases.count - 2] { phases.removeLast(2) }
      if case .reloading? = phases.last { phases.removeLast() }
    }
    if phases.last != phase { phases.append(phase) }
  }

  mutating func say(status text: String) { status = text }

  /// The process is well at this moment. Heard late it is true as well: only a process whose loop turns sends it again.
  mutating func beat() { beats = true }

  /// No beat is due any more.
  mutating func withholdBeat() { beats = false }

  mutating func extendTimeout(microseconds: Int64) { timeExtension = microseconds }

  /// The next message; nil: everything was taken.
  var next: String? {
    var lines: [String] = []
    switch phases.first {
    case .ready: lines.append("READY=1")
    case .reloading(let time): return "RELOADING=1\nMONOTONIC_USEC=\(time)"
    case .stopping: lines.append("STOPPING=1")
    case nil: break
    }
    if let timeExtension { lines.append("EXTEND_TIMEOUT_USEC=\(timeExtension)") }
    if beats { lines.append("WATCHDOG=1") }
    if let status { lines.append("STATUS=" + status) }
    return lines.isEmpty ? nil : lines.joined(separator: "\n")
  }

  /// The message that `next` shows was taken.
  mutating func sent() {
    let phase = phases.isEmpty ? nil : phases.removeFirst()
    if case .reloading? = phase { return }
    timeExtension = nil
    beats = false
    status = nil
  }
}
