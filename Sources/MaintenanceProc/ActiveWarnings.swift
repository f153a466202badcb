/// The warnings of a node by their key: which have begun, and what they say.
struct ActiveWarnings {
  private struct Entry {
    var policy = WarningPolicy()
    var signal = WarningPolicy.Signal.unclear
    var text = ""
  }

  private var entries: [String: Entry] = [:]

  /// What is to be said about a finding now, if anything.
  mutating func observe(_ finding: Finding, at now: Duration) -> (saying: WarningPolicy.Saying, text: String)? {
    var entry = entries[finding.key] ?? Entry()
    defer { entries[finding.key] = entry }
    let saying = entry.policy.observe(finding.signal, onset: finding.onset, calm: finding.calm, at: now)
    entry.signal = finding.signal
    // The figures of a good moment would contradict a warning that still lasts.
    if finding.signal == .bad || saying == .begun { entry.text = finding.text }
    return saying.map { ($0, $0 == .over ? finding.relief : entry.text) }
  }

  /// It does not concern this node any more.
  mutating func forget(_ key: String) { entries[key] = nil }

  /// The last look contradicts what was said: the next one decides.
  func isUndecided(_ key: String) -> Bool {
    entries[key].map { $0.signal == ($0.policy.isActive ? .good : .bad) } ?? false
  }

  /// It was said and is not over.
  func isActive(_ key: String) -> Bool { entries[key]?.policy.isActive ?? false }

  /// Of those that last, in the order of their keys.
  var texts: [String] { entries.filter(\.value.policy.isActive).sorted { $0.key < $1.key }.map(\.value.text) }
}
