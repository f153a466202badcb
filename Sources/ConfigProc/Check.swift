/// One finding of `validate`.
struct Check: Equatable, Sendable {
  enum Outcome: String, Sendable {
    case ok, warn
    case fail = "FAIL"
  }

  var outcome: Outcome
  var subject: String
  var text: String
  /// What to do about it; nil when there is nothing to do.
  var wayOut: String?

  static func ok(_ subject: String, _ text: String) -> Check { Check(outcome: .ok, subject: subject, text: text) }
  static func warn(_ subject: String, _ text: String, _ wayOut: String) -> Check {
    Check(outcome: .warn, subject: subject, text: text, wayOut: wayOut)
  }
  static func fail(_ subject: String, _ text: String, _ wayOut: String) -> Check {
    Check(outcome: .fail, subject: subject, text: text, wayOut: wayOut)
  }

  /// One line, whatever others put into the text.
  var line: String {
    let word = outcome.rawValue + String(repeating: " ", count: 4 - outcome.rawValue.count)
    let whole = "\(word)  \(subject): \(text)" + (wayOut.map { " -> \($0)" } ?? "")
    return String(whole.map { $0.isNewline ? " " : $0 })
  }
}
