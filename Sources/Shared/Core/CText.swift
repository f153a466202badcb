import Glibc

/// Text as the kernel passes it on: bytes without a NUL, in whatever encoding somebody used. Environment entries travel as this, since a
/// `String` would replace what is no UTF-8.
public struct CText: Hashable, Sendable {
  public private(set) var bytes: [UInt8]

  /// Stops at the first NUL, as execve does.
  public init(bytes: some Sequence<UInt8>) { self.bytes = Array(bytes.prefix { $0 != 0 }) }
  public init(_ text: String) { self.init(bytes: text.utf8) }
  public init(cString: UnsafePointer<CChar>) {
    bytes = Array(UnsafeRawBufferPointer(start: cString, count: strlen(cString)))
  }

  /// nil: it is no UTF-8.
  public var string: String? { String(validating: bytes, as: UTF8.self) }
  /// For people: what is no UTF-8 or controls a terminal is escaped.
  public var visible: String { VisibleText.of(bytes) }

  public func hasPrefix(_ text: String) -> Bool { bytes.starts(with: text.utf8) }

  public static func + (text: CText, more: String) -> CText { CText(bytes: text.bytes + more.utf8) }
}

extension CText: ExpressibleByStringInterpolation {
  public init(stringLiteral value: String) { self.init(value) }
}
