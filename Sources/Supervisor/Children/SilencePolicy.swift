/// How long a child may say nothing before it is taken for dead.
///
/// Times are readings of the boot clock as time since boot.
struct SilencePolicy: Equatable, Sendable {
  enum Verdict: Equatable, Sendable {
    case fine
    /// Nothing was heard for this long, which is over the limit.
    case silent(Duration)
    /// Someone stopped the process. It can't react to anything but SIGKILL, so waiting for the limit would only delay its work.
    case stopped
  }

  static let longestLimit = Duration.seconds(30)
  static let shortestLimit = Duration.seconds(5)
  /// From `exec` to `hello`, and from `configure` to `ready`: loading a program and adopting a table takes milliseconds, a machine that is
  /// booting or swapping takes a thousand times that.
  static let startLimit = Duration.seconds(30)
  /// A delay of the supervisor's own loop from which on it no longer trusts its clocks: a beat of 1 s that is 2 s late was not scheduling.
  static let tolerableLateness = Duration.seconds(2)

  private(set) var limit = SilencePolicy.startLimit
  private(set) var lastHeard: Duration

  /// The process was started at `now`.
  init(now: Duration) {
    lastHeard = now
  }

  /// Silence must be noticed before the locks of the type's jobs run out, or another node takes the same device: half of the shortest
  /// lifetime leaves time for the successor to renew them. No lock at all: the longest limit.
  static func limit(shortestLock: Duration?) -> Duration {
    guard let shortestLock else { return longestLimit }
    return max(shortestLimit, min(longestLimit, shortestLock / 2))
  }

  mutating func heard(now: Duration) {
    lastHeard = max(lastHeard, now)
  }

  /// From `ready` on the beats must come; `shortestLock` comes with the configuration.
  mutating func becameReady(now: Duration, shortestLock: Duration?) {
    limit = Self.limit(shortestLock: shortestLock)
    heard(now: now)
  }

  func verdict(now: Duration, isStopped: Bool) -> Verdict {
    if isStopped { return .stopped }
    let silence = now - lastHeard
    return silence > limit ? .silent(silence) : .fine
  }

  /// The supervisor itself was away for `lateness` (a paused machine): what it did not hear meanwhile proves nothing.
  mutating func shift(by lateness: Duration) {
    lastHeard += lateness
  }

  /// By how much all clocks are to be shifted when a turn that was due at `due` came at `now`; zero while the loop is punctual.
  static func shift(due: Duration, now: Duration) -> Duration {
    let lateness = now - due
    return lateness > tolerableLateness ? lateness : .zero
  }
}
