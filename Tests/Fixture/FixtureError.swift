/// Why a fixture can't go on, in words for the one who reads the test's output.
public struct FixtureError: Error, CustomStringConvertible {
  public var description: String

  public init(_ description: String) {
    self.description = description
  }

  static func system(_ call: String, _ code: Int32) -> FixtureError {
    FixtureError("\(call): \(String(cString: systemMessage(code)))")
  }
}
