import Glibc

/// Text to a terminal or pipe, for commands; the service itself writes only through its log.
enum Console {
  /// Writes everything, waiting for a slow reader; false when there is no reader.
  @discardableResult
  static func write(_ text: String, to fd: Int32 = STDOUT_FILENO) -> Bool {
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.write(fd, $0.baseAddress, $0.count) }
      if count > 0 { rest = rest.dropFirst(count) } else if errno != EINTR { return false }
    }
    return true
  }
}
