import CLinuxShims
import Core
import Glibc

/// Where a command's results go, and how it learns that nobody reads them any more.
struct ReportPort {
  /// Its reader is watched; -1: nothing is watched.
  var descriptor: Int32

  /// Sleeps, and ends the process when the reader is gone: whoever asked for a configuration has died, and so should everything it started.
  func pause(_ duration: Duration) {
    let end = MonotonicTime.now + duration
    while true {
      let left = end - MonotonicTime.now
      guard left > .zero else { return }
      var watched = pollfd(fd: descriptor, events: 0, revents: 0)
      let milliseconds = Int32(clamping: left.nanoseconds / 1_000_000 + 1)
      if poll(&watched, 1, milliseconds) > 0 { exitIfReaderIsGone() }
    }
  }

  func exitIfReaderIsGone() {
    if readerIsGone { exit(0) }
  }

  var readerIsGone: Bool {
    var watched = pollfd(fd: descriptor, events: 0, revents: 0)
    return poll(&watched, 1, 0) > 0 && watched.revents != 0
  }

  /// Writes everything, waiting for a slow reader; ends the process when there is none, and with 1 when the target can't take it.
  func write(_ bytes: [UInt8]) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count > 0 {
        rest = rest.dropFirst(count)
      } else if errno == EAGAIN {
        var watched = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        poll(&watched, 1, -1)
      } else if errno != EINTR {
        giveUp(SystemError("write"))
      }
    }
  }

  private func giveUp(_ failure: SystemError) -> Never {
    if failure.number == EPIPE { exit(0) }
    // Of standard error nobody can be told.
    if descriptor != STDERR_FILENO { printError("librenms-configd: can't write the answer to standard output: \(failure.reason)") }
    exit(1)
  }
}
