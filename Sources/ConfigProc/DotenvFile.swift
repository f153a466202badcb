/// What a `.env` file says, read as python-dotenv reads it, since the Python service and its users' habits set the rules.
///
/// PHP reads the same file with a library of its own; where the two differ the contract follows Python.
struct DotenvFile: Equatable, Sendable {
  struct Entry: Equatable, Sendable {
    var value: String
    /// The line where the assignment starts, counted from 1.
    var line: Int
  }

  var entries: [String: Entry] = [:]
  /// Lines that are neither an assignment nor a comment; they were skipped. Only their numbers are kept: they may hold secrets.
  var badLines: [Int] = []
  /// Names that values refer to.
  var references: Set<String> = []

  init() {}

  /// Parses the file's bytes and expands `${NAME}` and `${NAME:-default}` in every value, the environment before the file's earlier lines.
  init(_ bytes: [UInt8], environment: [String: String]) {
    var scanner = DotenvScanner(bytes)
    while let statement = scanner.next() {
      switch statement {
      case .assignment(let name, let value, let line):
        let expanded = DotenvFile.expand(value) {
          references.insert($0)
          return environment[$0] ?? entries[$0]?.value
        }
        entries[name] = Entry(value: expanded, line: line)
      case .bad(let line): badLines.append(line)
      }
    }
  }

  /// Replaces references; an unknown name without default is empty, `$NAME` and malformed references stay as they are.
  static func expand(_ text: String, _ lookUp: (String) -> String?) -> String {
    let bytes = Array(text.utf8)
    var result: [UInt8] = []
    var position = 0
    while position < bytes.count {
      if let reference = reference(in: bytes, at: position) {
        result.append(contentsOf: (lookUp(reference.name) ?? reference.fallback).utf8)
        position = reference.end
      } else {
        result.append(bytes[position])
        position += 1
      }
    }
    return String(decoding: result, as: UTF8.self)
  }

  private static func reference(in bytes: [UInt8], at start: Int) -> (name: String, fallback: String, end: Int)? {
    guard bytes[start...].starts(with: [UInt8(ascii: "$"), UInt8(ascii: "{")]) else { return nil }
    let brace = UInt8(ascii: "}")
    let nameStart = start + 2
    guard let nameEnd = bytes[nameStart...].firstIndex(where: { $0 == brace || $0 == UInt8(ascii: ":") }) else { return nil }
    let name = String(decoding: bytes[nameStart..<nameEnd], as: UTF8.self)
    if bytes[nameEnd] == brace { return (name, "", nameEnd + 1) }
    let fallbackStart = nameEnd + 2
    guard fallbackStart <= bytes.count, bytes[nameEnd + 1] == UInt8(ascii: "-"), let end = bytes[fallbackStart...].firstIndex(of: brace)
    else { return nil }
    return (name, String(decoding: bytes[fallbackStart..<end], as: UTF8.self), end + 1)
  }
}
