import Core
import Glibc

/// Text to a terminal or pipe, for commands; the service itself writes only through its log.
enum Console {
  /// Writes everything, waiting for a slow reader; nil, or why it can't.
  static func write(_ text: String, to fd: Int32 = STDOUT_FILENO) -> SystemError? {
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.write(fd, $0.baseAddress, $0.count) }
      if count > 0 {
        rest = rest.dropFirst(count)
      } else if errno == EAGAIN {
        // Whoever gave the descriptor made it non-blocking, for purposes of their own.
        var watched = pollfd(fd: fd, events: Int16(POLLOUT), revents: 0)
        poll(&watched, 1, -1)
      } else if errno != EINTR {
        return SystemError("write")
      }
    }
    return nil
  }

  /// The answer of a command, on standard output. One that nobody can read is a failure like any other.
  static func say(_ text: String) throws(Refusal) {
    if let failure = write(text) { throw Refusal(1, "can't write the answer to standard output: \(failure.reason)") }
  }
}
