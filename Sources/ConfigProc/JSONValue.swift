import Database
import FoundationEssentials

/// A value of the dump, of a database column or of an environment variable before anything is known about what it should be.
enum JSONValue: Equatable, Sendable, Decodable {
  case null
  case bool(Bool)
  case int(Int)
  case double(Double)
  case string(String)
  case array([JSONValue])
  case object([String: JSONValue])

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if container.decodeNil() {
      self = .null
    } else if let value = try? container.decode(String.self) {
      self = .string(value)
    } else if let value = try? container.decode(Bool.self) {
      self = .bool(value)
    } else if let value = try? container.decode(Int.self) {
      self = .int(value)
    } else if let value = try? container.decode(Double.self) {
      self = .double(value)
    } else if let value = try? container.decode([String: JSONValue].self) {
      self = .object(value)
    } else {
      self = .array(try container.decode([JSONValue].self))
    }
  }

  init(_ value: SQLValue) {
    switch value {
    case .null: self = .null
    case .int(let number): self = .int(Int(number))
    case .double(let number): self = .double(number)
    case .text(let text): self = .string(text)
    }
  }

  /// Null and the empty text mean the same as a key that is not there.
  var isMissing: Bool { self == .null || self == .string("") }

  /// For messages: texts in quotes, everything cut to a length that a log line bears.
  var shown: String {
    switch self {
    case .null: "null"
    case .bool(let value): String(value)
    case .int(let value): String(value)
    case .double(let value): String(value)
    case .string(let value): "\"\(value.count > 60 ? value.prefix(60) + "…" : value[...])\""
    case .array: "a list"
    case .object: "an object"
    }
  }
}
