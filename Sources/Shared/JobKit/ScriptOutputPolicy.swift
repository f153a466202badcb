/// What the end of a script's output says about a run that ended with 0: PHP scripts of LibreNMS may die of an exception and end with 0.
public enum ScriptOutputPolicy {
  /// What a whole run prints first and last.
  public struct Frame: Equatable, Sendable {
    public var opening: String
    public var closing: String

    public init(opening: String, closing: String) {
      self.opening = opening
      self.closing = closing
    }
  }

  /// Of a summary.
  private static let longest = 300

  /// What went wrong, in one line; nil = nothing shows that anything did. `isCut`: there was more output before.
  static func fault(in output: String, isCut: Bool = false, frame: Frame? = nil) -> String? {
    let lines = output.split(whereSeparator: \.isNewline).map { trim($0) }
    if let found = exception(in: lines) { return clip("died of an exception: \(found)") }
    // A script that is switched off, or finds its lock held, prints neither line.
    guard let frame, isCut || lines.contains(where: { $0.hasPrefix(frame.opening) }),
      !lines.contains(where: { $0.hasPrefix(frame.closing) })
    else { return nil }
    let last = lines.last { !$0.isEmpty } ?? ""
    return clip("did not come to its end, since the line \"\(frame.closing)\" is missing; its last one: \(last)")
  }

  private static func exception(in lines: [Substring]) -> String? {
    for (index, line) in lines.enumerated() {
      // PHP itself: "PHP Fatal error:  Uncaught TypeError: … in /file.php:12", "Parse error: …".
      if let uncaught = after("Uncaught ", in: line), line.contains("rror") || line.contains("xception") { return uncaught }
      for opening in ["PHP Fatal error:", "Fatal error:", "PHP Parse error:", "Parse error:"] where line.hasPrefix(opening) {
        return String(line)
      }
      // Symfony's console: "In RunAlerts.php line 12:", then the message in a box of blanks.
      if line.hasPrefix("In "), line.hasSuffix(":"), line.contains(".php line ") {
        let message = lines[(index + 1)...].drop { $0.isEmpty }.prefix { !$0.isEmpty }
        return ([String(line.dropFirst(3).dropLast())] + [message.joined(separator: " ")]).filter { !$0.isEmpty }.joined(separator: ": ")
      }
      // Collision, which Laravel uses where it is installed: the class alone, the message, "at file.php:12".
      if isClassOfException(line), let place = lines[(index + 1)...].prefix(8).first(where: { $0.hasPrefix("at ") && $0.contains(".php:") })
      {
        let message = lines[(index + 1)...].first { !$0.isEmpty && $0 != place } ?? ""
        return "\(line): \(message) \(place)"
      }
      // Laravel's log lines: "production.ERROR: … {"exception":"[object] (TypeError(code: 0): … at /file.php:12)".
      if let object = after("\"exception\":\"[object] (", in: line) { return object }
      // LibreNMS's init.php ends with 0 after this.
      if line.hasPrefix("Could not connect to database") { return String(line) }
    }
    return nil
  }

  private static func isClassOfException(_ line: Substring) -> Bool {
    guard line.hasSuffix("Error") || line.hasSuffix("Exception"), let first = line.first, first.isUppercase else { return false }
    return line.allSatisfy { $0.isLetter || $0.isNumber || $0 == "\\" || $0 == "_" }
  }

  private static func after(_ mark: String, in line: Substring) -> String? {
    var rest = line
    while !rest.isEmpty {
      if rest.hasPrefix(mark) { return String(rest.dropFirst(mark.count)) }
      rest = rest.dropFirst()
    }
    return nil
  }

  private static func trim(_ line: Substring) -> Substring {
    let front = line.drop { $0 == " " || $0 == "\t" }
    guard let last = front.lastIndex(where: { $0 != " " && $0 != "\t" }) else { return "" }
    return front[...last]
  }

  private static func clip(_ text: String) -> String { text.count > longest ? text.prefix(longest) + "…" : text }
}
