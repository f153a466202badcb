import Core

extension LogLevel {
  /// Reads a level as Python's logging does: its names in any case, its short forms, or its numbers (a number between two levels lets
  /// the higher one through).
  init?(python raw: JSONValue) {
    switch raw {
    case .int(let number): self.init(pythonNumber: number)
    case .string(let text):
      let word = text.trimmed.uppercased()
      if let number = Int(word) {
        self.init(pythonNumber: number)
      } else {
        let long = ["WARN": "WARNING", "FATAL": "CRITICAL"][word] ?? word
        self.init(rawValue: long)
      }
    default: return nil
    }
  }

  private init?(pythonNumber number: Int) {
    switch number {
    case 1...10: self = .debug
    case 11...20: self = .info
    case 21...30: self = .warning
    case 31...40: self = .error
    case 41...50: self = .critical
    default: return nil
    }
  }
}
