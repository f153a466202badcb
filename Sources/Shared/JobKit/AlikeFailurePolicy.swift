/// Scripts of several devices that end in a row with the same exit code and without a word: the fault is the machine's, not the devices',
/// and nothing names it. Times are durations on one monotonic clock.
struct AlikeFailurePolicy: Equatable, Sendable {
  /// Distinct devices in a row.
  static let devices = 3
  static let repetition = Duration.seconds(3600)
  /// More devices tell nothing more.
  static let limit = 100
  /// The greeting that LibreNMS's scripts print even with `-q`, about 100 bytes [tried with 25], is no explanation.
  static let greeting = 200

  struct Alarm: Equatable, Sendable {
    var code: Int32
    /// In the order of their last failures.
    var payloads: [String]
  }

  private var row: [(payload: String, at: Duration)] = []
  private var code: Int32 = 0
  private var saidAt: Duration?
  /// Said, and not over yet.
  var isActive: Bool { saidAt != nil }

  init() {}

  static func == (a: AlikeFailurePolicy, b: AlikeFailurePolicy) -> Bool {
    a.code == b.code && a.saidAt == b.saidAt && a.row.elementsEqual(b.row) { $0 == $1 }
  }

  /// A script ended with this code; `period`: failures further apart are not in a row. What is to be said, if anything.
  mutating func failed(_ new: Int32, _ payload: String, output: String, period: Duration, at now: Duration) -> Alarm? {
    guard Self.isSilent(output) else {
      // It says itself why, and its line in the log has it.
      row = []
      return nil
    }
    if new != code { row = [] }
    code = new
    row.removeAll { now - $0.at > max(period, .seconds(600)) || $0.payload == payload }
    if row.count < Self.limit { row.append((payload, now)) }
    guard row.count >= Self.devices, saidAt.map({ now - $0 >= Self.repetition }) ?? true else { return nil }
    saidAt = now
    return Alarm(code: code, payloads: row.map(\.payload))
  }

  /// A script did what it should, or at least said something else; true: that is the end of what was said.
  mutating func worked() -> Bool {
    row = []
    defer { saidAt = nil }
    return saidAt != nil
  }

  /// Nothing in it explains a failure.
  static func isSilent(_ output: String) -> Bool {
    guard output.utf8.count <= greeting else { return false }
    let words = [
      "error", "exception", "fail", "fatal", "denied", "warning", "cannot", "can't", "could not", "unable", "not found", "no such",
    ]
    let lower = output.lowercased()
    return !words.contains { lower.contains($0) }
  }
}
