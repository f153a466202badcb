/// What became of a raw value.
enum Judgement<Value> {
  /// As if it was not there: the next weaker source decides, and nobody is told.
  case missing
  case good(Value)
  /// Can't be used, and why: "is not a whole number".
  case wrong(String)
}

/// Turns a raw value into what a setting needs, or says what is wrong with it. PHP, SQL columns and environment variables write the same
/// thing in different ways: numbers as text, booleans as 0 and 1.
struct ValueRule<Value>: Sendable {
  let judge: @Sendable (JSONValue) -> Judgement<Value>
}

extension ValueRule where Value == Int {
  static func integer(_ range: ClosedRange<Int>) -> ValueRule {
    ValueRule { raw in
      guard !raw.isMissing else { return .missing }
      let number: Int?
      switch raw {
      case .int(let value): number = value
      case .double(let value): number = Int(exactly: value)
      case .string(let text):
        let trimmed = text.trimmed
        guard !trimmed.isEmpty else { return .missing }
        number = Int(trimmed)
      default: number = nil
      }
      guard let number else { return .wrong("is not a whole number") }
      guard range.contains(number) else { return .wrong("is not between \(range.lowerBound) and \(range.upperBound)") }
      return .good(number)
    }
  }

  /// Worker slots. The upper bound only catches slips of the pen: nobody forks more scripts than this on one machine.
  static let workers = integer(1...10_000)
  /// Seconds between two runs, up to ten years.
  static let period = integer(1...315_360_000)
  /// Seconds that may be none.
  static let delay = integer(0...315_360_000)
  static let port = integer(1...65_535)
  /// 0 is off, in words too.
  static let percentOrOff = ValueRule { raw in
    if case .string(let text) = raw, text.trimmed.lowercased() == "off" { return .good(0) }
    if case .string(let text) = raw, text.hasSuffix("%") { return integer(0...100).judge(.string(String(text.dropLast()))) }
    return integer(0...100).judge(raw)
  }
}

extension ValueRule where Value == Bool {
  static let flag = ValueRule { raw in
    guard !raw.isMissing else { return .missing }
    switch raw {
    case .bool(let value): return .good(value)
    case .int(0), .double(0): return .good(false)
    case .int(1), .double(1): return .good(true)
    case .string(let text):
      switch text.trimmed.lowercased() {
      case "": return .missing
      case "0", "false", "off", "no": return .good(false)
      case "1", "true", "on", "yes": return .good(true)
      default: break
      }
    default: break
    }
    return .wrong("is neither true nor false")
  }
}

extension ValueRule where Value == String {
  /// Any text; nothing in it counts as not set.
  static let text = ValueRule { raw in raw.isMissing ? .missing : plain(raw) }

  /// Text without the white space around it.
  static let trimmedText = ValueRule { raw in
    guard case .good(let value) = plain(raw), !value.trimmed.isEmpty else {
      return raw.isMissing || raw.isBlankText ? .missing : plain(raw)
    }
    return .good(value.trimmed)
  }

  /// A password: an empty one says that there is none, which is stronger than what a weaker source says.
  static let password = ValueRule { raw in raw == .null ? .missing : plain(raw) }

  static func oneOf(_ words: [String]) -> ValueRule {
    ValueRule { raw in
      guard !raw.isMissing else { return .missing }
      if case .string(let text) = raw, let word = words.first(where: { $0 == text.trimmed.lowercased() }) { return .good(word) }
      return .wrong("is none of \(words.joined(separator: ", "))")
    }
  }

  /// No path, name or password is longer; what is, would only stuff the messages that carry the configuration.
  private static let lengthLimit = 4096

  private static func plain(_ raw: JSONValue) -> Judgement<String> {
    switch raw {
    case .string(let text): text.utf8.count <= lengthLimit ? .good(text) : .wrong("is longer than \(lengthLimit) bytes")
    case .int(let number): .good(String(number))
    case .double(let number): .good(String(number))
    case .null: .missing
    case .bool, .array, .object: .wrong("is not text")
    }
  }
}

extension JSONValue {
  fileprivate var isBlankText: Bool {
    if case .string(let text) = self { text.trimmed.isEmpty } else { false }
  }
}

extension StringProtocol {
  /// Without white space at both ends.
  var trimmed: String {
    var view = self[...]
    while view.first?.isWhitespace == true { view = view.dropFirst() }
    while view.last?.isWhitespace == true { view = view.dropLast() }
    return String(view)
  }
}
