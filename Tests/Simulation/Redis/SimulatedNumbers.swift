import Glibc

/// Numbers as a Redis server reads and writes them (`src/util.c`, `src/object.c`, `src/networking.c`).
enum SimulatedNumbers {
  /// How a server writes a score that is no whole number.
  enum ScoreFormat {
    /// Redis up to 7.0: `%.17g`.
    case seventeenDigits
    /// Later ones: as few digits as tell the number from all others.
    case shortest
  }

  /// A whole number: no sign but a minus, no leading zeros, no spaces.
  static func integer(_ text: String) -> Int64? {
    var digits = text.utf8[...]
    if digits.first == UInt8(ascii: "-") { digits = digits.dropFirst() }
    guard let first = digits.first, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) else { return nil }
    if first == UInt8(ascii: "0") { return text.utf8.count == 1 ? 0 : nil }
    return Int64(text)
  }

  /// What `strtod` makes of all of the text, unless it is no number.
  static func score(_ text: String) -> Double? {
    guard let first = text.utf8.first, first != 0x20, !(0x09...0x0d).contains(first) else { return nil }
    return text.withCString { start in
      var end: UnsafeMutablePointer<CChar>?
      errno = 0
      let value = strtod(start, &end)
      guard let end, UnsafePointer(end) - start == text.utf8.count, !value.isNaN else { return nil }
      guard errno != ERANGE || !value.isInfinite && value != 0 else { return nil }
      // A small set keeps scores as texts of integers, which have no negative zero.
      return value == 0 ? 0 : value
    }
  }

  static func text(_ score: Double, _ format: ScoreFormat) -> String {
    if score.isInfinite { return score > 0 ? "inf" : "-inf" }
    if score == score.rounded(), abs(score) < 1e15 { return String(Int64(score)) }
    switch format {
    case .shortest: return score.description
    case .seventeenDigits:
      return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { buffer in
        _ = withVaList([score]) { vsnprintf(buffer.baseAddress, buffer.count, "%.17g", $0) }
        return buffer.baseAddress.map { String(cString: $0) } ?? ""
      }
    }
  }
}
