/// What a server answered. Status lines ("OK") and bulk strings are both text.
///
/// Text is read as UTF-8; bytes that are not are replaced, since no key or member of the contract holds any.
public enum RedisReply: Equatable, Sendable {
  case null
  case integer(Int64)
  case text(String)
  case array([RedisReply])
  /// An error inside of an array. An error as the whole answer is the failure of the command.
  case error(RedisError)

  public var isNull: Bool { self == .null }

  /// A whole number, also one that arrived as text.
  public var integer: Int64? {
    switch self {
    case .integer(let value): value
    case .text(let value): Int64(value)
    default: nil
    }
  }

  /// Text, also of a number.
  public var text: String? {
    switch self {
    case .text(let value): value
    case .integer(let value): String(value)
    default: nil
    }
  }

  public var elements: [RedisReply]? {
    if case .array(let elements) = self { elements } else { nil }
  }
}

/// One word of a command: text as it is, numbers in decimal.
public struct RedisArgument: Equatable, Sendable, ExpressibleByStringLiteral, ExpressibleByStringInterpolation, ExpressibleByIntegerLiteral
{
  public let text: String

  public init(_ text: String) { self.text = text }
  public init(_ value: some BinaryInteger) { text = String(value) }
  /// A score: the shortest text that reads back as the same number.
  public init(_ value: Double) { text = Int64(exactly: value).map(String.init) ?? String(value) }
  public init(stringLiteral value: String) { text = value }
  public init(integerLiteral value: Int64) { text = String(value) }
}
