/// A parameter of a statement or a cell of a result.
///
/// Whole numbers arrive as `int`, also DECIMAL without fraction (`SUM` of integers); other numbers as `double`, dates and everything else as `text`.
public enum SQLValue: Sendable, Equatable {
  case null
  case int(Int64)
  case double(Double)
  case text(String)

  public var isNull: Bool { self == .null }

  /// A whole number, also one that arrived as text; nil for NULL and everything else.
  public var int: Int64? {
    switch self {
    case .int(let value): value
    case .double(let value): Int64(exactly: value)
    case .text(let value): Int64(value)
    case .null: nil
    }
  }

  /// A number, also one that arrived as text; nil for NULL and everything else.
  public var double: Double? {
    switch self {
    case .int(let value): Double(value)
    case .double(let value): value
    case .text(let value): Double(value)
    case .null: nil
    }
  }

  /// Any value but NULL as text.
  public var text: String? {
    switch self {
    case .int(let value): String(value)
    case .double(let value): String(value)
    case .text(let value): value
    case .null: nil
    }
  }
}

extension SQLValue: ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral, ExpressibleByStringLiteral, ExpressibleByNilLiteral {
  public init(integerLiteral value: Int64) { self = .int(value) }
  public init(floatLiteral value: Double) { self = .double(value) }
  public init(stringLiteral value: String) { self = .text(value) }
  public init(nilLiteral: ()) { self = .null }
}
