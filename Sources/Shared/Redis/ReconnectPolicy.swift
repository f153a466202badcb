/// When to try again.
struct ReconnectPolicy {
  /// Failures in a row.
  private(set) var failures = 0
  private let quick: Bool

  /// `underSentinel`: a failover of a second or two is being waited for.
  init(underSentinel: Bool) { quick = underSentinel }

  mutating func succeeded() { failures = 0 }

  /// How long to wait after a failure. `random`, 0 up to 1, keeps the processes of a cluster from coming in step.
  ///
  /// Never more than 1.4 s: work has to resume within 2 s of the server's return, and a try every second costs nothing.
  mutating func delay(random: Double) -> Duration {
    failures += 1
    switch failures {
    case 1: return .milliseconds(100 * random)
    case 2: return .milliseconds(250 + 250 * random)
    default: return quick ? .milliseconds(350 + 350 * random) : .milliseconds(700 + 700 * random)
    }
  }
}
