/// Cuts a `.env` file into assignments. A line it can't read is reported and skipped; the rest of the file still counts.
struct DotenvScanner {
  enum Statement: Equatable {
    case assignment(name: String, value: String, line: Int)
    case bad(line: Int)
  }

  private struct Malformed: Error {}

  private let bytes: [UInt8]
  private var position = 0
  private var line = 1

  init(_ raw: [UInt8]) {
    // Any line ending counts as one newline, inside quotes, too.
    var normalized: [UInt8] = []
    normalized.reserveCapacity(raw.count)
    let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
    var index = raw.starts(with: mark) ? mark.count : 0
    while index < raw.count {
      if raw[index] == UInt8(ascii: "\r") {
        normalized.append(UInt8(ascii: "\n"))
        if index + 1 < raw.count, raw[index + 1] == UInt8(ascii: "\n") { index += 1 }
      } else {
        normalized.append(raw[index])
      }
      index += 1
    }
    bytes = normalized
  }

  /// The next assignment or unreadable line; nil at the end. Comments, blank lines and names without `=` are passed over.
  mutating func next() -> Statement? {
    while true {
      skip { $0.isBlank || $0 == UInt8(ascii: "\n") }
      guard position < bytes.count else { return nil }
      let start = line
      do throws(Malformed) {
        let assignment = try statement()
        if let assignment { return .assignment(name: assignment.name, value: assignment.value, line: start) }
      } catch {
        _ = restOfLine()
        advance()
        return .bad(line: start)
      }
    }
  }

  private mutating func statement() throws(Malformed) -> (name: String, value: String)? {
    skipExport()
    var name: String?
    var value: String?
    if peek != UInt8(ascii: "#") {
      name = try key()
      skip(\.isBlank)
      if peek == UInt8(ascii: "=") {
        advance()
        let before = position
        skip(\.isBlank)
        // `NAME= # comment` is empty, `NAME=#text` is not.
        value = position > before && peek == UInt8(ascii: "#") ? "" : try self.value()
      }
    }
    skip(\.isBlank)
    if peek == UInt8(ascii: "#") { _ = restOfLine() }
    guard peek == nil || peek == UInt8(ascii: "\n") else { throw Malformed() }
    advance()
    guard let name, let value else { return nil }
    return (name, value)
  }

  private mutating func skipExport() {
    let word = Array("export".utf8)
    guard bytes[position...].starts(with: word), position + word.count < bytes.count, bytes[position + word.count].isBlank else { return }
    position += word.count
    skip(\.isBlank)
  }

  private mutating func key() throws(Malformed) -> String {
    if peek == UInt8(ascii: "'") {
      guard let end = bytes[(position + 1)...].firstIndex(of: UInt8(ascii: "'")), end > position + 1 else { throw Malformed() }
      let name = String(decoding: bytes[position + 1..<end], as: UTF8.self)
      while position <= end { advance() }
      return name
    }
    let start = position
    skip { $0 != UInt8(ascii: "=") && $0 != UInt8(ascii: "#") && $0 != UInt8(ascii: "\n") && !$0.isBlank }
    guard position > start else { throw Malformed() }
    return String(decoding: bytes[start..<position], as: UTF8.self)
  }

  private mutating func value() throws(Malformed) -> String {
    switch peek {
    case UInt8(ascii: "'"): return try quoted(UInt8(ascii: "'"), escapes: Self.singleQuoteEscapes)
    case UInt8(ascii: "\""): return try quoted(UInt8(ascii: "\""), escapes: Self.doubleQuoteEscapes)
    default:
      var text = restOfLine()
      if let comment = text.indices.dropFirst().first(where: { text[$0] == UInt8(ascii: "#") && text[$0 - 1].isBlank }) {
        text = text[..<comment]
      }
      while text.last?.isBlank == true { text = text.dropLast() }
      return String(decoding: text, as: UTF8.self)
    }
  }

  private mutating func quoted(_ quote: UInt8, escapes: [UInt8: UInt8]) throws(Malformed) -> String {
    var text: [UInt8] = []
    var index = position + 1
    while index < bytes.count, bytes[index] != quote {
      guard bytes[index] == UInt8(ascii: "\\") else {
        text.append(bytes[index])
        index += 1
        continue
      }
      // A backslash shields whatever follows; unknown escapes stay as written.
      guard index + 1 < bytes.count else { throw Malformed() }
      if let meaning = escapes[bytes[index + 1]] { text.append(meaning) } else { text += bytes[index...index + 1] }
      index += 2
    }
    guard index < bytes.count else { throw Malformed() }
    while position <= index { advance() }
    return String(decoding: text, as: UTF8.self)
  }

  private static let singleQuoteEscapes: [UInt8: UInt8] = [
    UInt8(ascii: "\\"): UInt8(ascii: "\\"), UInt8(ascii: "'"): UInt8(ascii: "'"),
  ]
  private static let doubleQuoteEscapes = singleQuoteEscapes.merging([
    UInt8(ascii: "\""): UInt8(ascii: "\""), UInt8(ascii: "a"): 7, UInt8(ascii: "b"): 8, UInt8(ascii: "f"): 12, UInt8(ascii: "n"): 10,
    UInt8(ascii: "r"): 13, UInt8(ascii: "t"): 9, UInt8(ascii: "v"): 11,
  ]) { first, _ in first }

  private var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func advance() {
    guard position < bytes.count else { return }
    if bytes[position] == UInt8(ascii: "\n") { line += 1 }
    position += 1
  }

  private mutating func skip(_ matches: (UInt8) -> Bool) {
    while let byte = peek, matches(byte) { advance() }
  }

  private mutating func restOfLine() -> ArraySlice<UInt8> {
    let start = position
    skip { $0 != UInt8(ascii: "\n") }
    return bytes[start..<position]
  }
}

extension UInt8 {
  /// White space that doesn't end a line.
  fileprivate var isBlank: Bool { self == UInt8(ascii: " ") || self == 9 || self == 11 || self == 12 }
}
