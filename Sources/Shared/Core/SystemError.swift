import Glibc

/// A failed system call: what was tried, and why it failed.
public struct SystemError: Error, CustomStringConvertible, Equatable, Sendable {
  public var action: String
  public var number: Int32

  public init(_ action: String, number: Int32 = errno) {
    self.action = action
    self.number = number
  }

  /// The text of the error number.
  public var reason: String { String(cString: strerror(number)) }
  public var description: String { "\(action): \(reason)" }

  /// Turns the shims' negative error numbers into errors.
  @discardableResult
  public static func check(_ status: Int32, _ action: @autoclosure () -> String) throws(SystemError) -> Int32 {
    guard status >= 0 else { throw SystemError(action(), number: -status) }
    return status
  }
}
