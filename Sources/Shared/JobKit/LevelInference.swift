import Core

/// The level of a line that a script printed, from the word it starts with:
/// `^\s*\[?(CRITICAL|FATAL|ERROR|ERR|WARN|WARNING|INFO|INFORMATION|DEBUG|TRACE)(\]|:|\s|-)` in any case, else INFO.
public enum LevelInference {
  private static let words: [String: LogLevel] = [
    "CRITICAL": .critical, "FATAL": .critical, "ERROR": .error, "ERR": .error, "WARN": .warning, "WARNING": .warning, "INFO": .info,
    "INFORMATION": .info, "DEBUG": .debug, "TRACE": .debug,
  ]

  public static func level(of line: String) -> LogLevel {
    var rest = line.utf8.drop { isBlank($0) }[...]
    if rest.first == UInt8(ascii: "[") { rest = rest.dropFirst() }
    let word = rest.prefix { ($0 | 0x20) >= UInt8(ascii: "a") && ($0 | 0x20) <= UInt8(ascii: "z") }
    guard word.count <= 11, let after = rest.dropFirst(word.count).first else { return .info }
    guard after == UInt8(ascii: "]") || after == UInt8(ascii: ":") || after == UInt8(ascii: "-") || isBlank(after) else { return .info }
    return words[String(decoding: word, as: UTF8.self).uppercased()] ?? .info
  }

  private static func isBlank(_ byte: UInt8) -> Bool { byte == 32 || (9...13).contains(byte) }
}
