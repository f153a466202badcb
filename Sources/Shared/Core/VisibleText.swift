/// Text of others (scripts, devices, servers, the starter) made fit for one line of a terminal or a log.
///
/// A control character is a command to the terminal that shows it, a bidirectional one shows another text than is there, and a line break
/// begins a line that looks like one of ours. Line breaks become spaces; the others, and bytes that are no UTF-8, become `\\x1b`, `\\u{202e}`.
public enum VisibleText {
  public static func of(_ text: String, keepingLines: Bool = false) -> String {
    // Nearly all text is plain: one look at its bytes.
    if text.utf8.allSatisfy({ isPlain($0) || keepingLines && $0 == UInt8(ascii: "\n") }) { return text }
    var result = ""
    result.reserveCapacity(text.utf8.count)
    for scalar in text.unicodeScalars { append(scalar, to: &result, keepingLines) }
    return result
  }

  public static func of(_ bytes: some Collection<UInt8>) -> String {
    if bytes.allSatisfy(isPlain) { return String(decoding: bytes, as: UTF8.self) }
    var result = ""
    var decoder = Unicode.UTF8.ForwardParser()
    var rest = bytes.makeIterator()
    var position = bytes.startIndex
    while true {
      switch decoder.parseScalar(from: &rest) {
      case .valid(let encoded):
        append(Unicode.UTF8.decode(encoded), to: &result, false)
        position = bytes.index(position, offsetBy: encoded.count)
      case .error(let length):
        let end = bytes.index(position, offsetBy: length)
        for byte in bytes[position..<end] { result += hexadecimal(byte) }
        position = end
      case .emptyInput: return result
      }
    }
  }

  private static func isPlain(_ byte: UInt8) -> Bool { byte >= 0x20 && byte < 0x7F || byte == UInt8(ascii: "\t") }

  private static func append(_ scalar: Unicode.Scalar, to result: inout String, _ keepingLines: Bool) {
    switch scalar {
    case "\t": result.unicodeScalars.append(scalar)
    case "\n" where keepingLines: result.unicodeScalars.append(scalar)
    case "\n", "\r", "\u{85}", "\u{2028}", "\u{2029}": result += " "
    // Joiners belong to the spelling of Persian and of emoji and move nothing.
    case "\u{200C}", "\u{200D}": result.unicodeScalars.append(scalar)
    default:
      switch scalar.properties.generalCategory {
      case .control: result += hexadecimal(UInt8(truncatingIfNeeded: scalar.value))
      case .format: result += "\\u{\(String(scalar.value, radix: 16))}"
      default: result.unicodeScalars.append(scalar)
      }
    }
  }

  private static func hexadecimal(_ byte: UInt8) -> String { "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16) }
}
