import Glibc

/// Seconds of the wall clock since 1970, the clock of the journal.
public func wallClock() -> Double {
  var now = timespec()
  clock_gettime(CLOCK_REALTIME, &now)
  return Double(now.tv_sec) + Double(now.tv_nsec) / 1e9
}

public func pause(_ duration: Duration) {
  let (seconds, attoseconds) = duration.components
  var left = timespec(tv_sec: Int(seconds), tv_nsec: Int(attoseconds / 1_000_000_000))
  var rest = timespec()
  while nanosleep(&left, &rest) != 0 && errno == EINTR { left = rest }
}

/// Looks every `interval` whether the condition holds; true as soon as it does, false at the deadline.
@discardableResult
public func eventually(within limit: Duration, every interval: Duration = .milliseconds(20), _ condition: () throws -> Bool) rethrows
  -> Bool
{
  let end = ContinuousClock.now + limit
  while true {
    if try condition() { return true }
    if ContinuousClock.now >= end { return false }
    pause(interval)
  }
}

/// A line in the test's output, at once: integration tests take minutes, and silence looks like a hang.
public func progress(_ text: String) {
  let line = Array("        \(text)\n".utf8)
  _ = line.withUnsafeBytes { write(2, $0.baseAddress, $0.count) }
}
