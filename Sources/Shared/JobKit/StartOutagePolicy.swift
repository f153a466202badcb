/// Scripts that can't be started for a reason that is not the job's: no processes left, `lnms` not executable, no `php`, no base directory.
///
/// It is one state, said when it begins, again now and then while it lasts, and when it is over; meanwhile one job at a time shows whether
/// it works again. Times are durations on one monotonic clock.
struct StartOutagePolicy: Equatable, Sendable {
  enum Cause: Equatable, Sendable {
    /// Out of processes, memory or descriptors: the machine's fault, usually over within seconds.
    case resources
    /// The program or its directory can't be used.
    case program
    /// The program was started and could not find or run its interpreter (exit codes 126 and 127).
    case interpreter
  }

  enum Saying: Equatable, Sendable {
    case begun
    /// So many attempts have failed since it began.
    case lasting(failures: Int)
  }

  static let repetition = Duration.seconds(600)
  /// A script that lives for so long has found its interpreter.
  static let proof = Duration.seconds(1)

  private(set) var cause: Cause?
  private(set) var reason = ""
  private(set) var failedAt = Duration.zero
  /// Nothing is taken before this moment.
  private(set) var pausedUntil = Duration.zero
  private var began = Duration.zero
  private var saidAt = Duration.zero
  private var rounds = 0
  private(set) var failures = 0

  var isActive: Bool { cause != nil }

  /// An attempt has failed. `jitter` keeps processes from trying in step. Failures of the same moment, of jobs that were on their
  /// way together, are one round of the back-off.
  mutating func failed(_ new: Cause, _ text: String, at now: Duration, jitter: Duration) -> Saying? {
    let isNew = cause == nil
    if isNew {
      (began, rounds, failures) = (now, 0, 0)
    }
    let isOtherReason = !isNew && text != reason
    (cause, reason, failedAt) = (new, text, now)
    failures += 1
    if isNew || now >= pausedUntil {
      rounds += 1
      pausedUntil = now + Self.pause(new, round: rounds) + jitter
    }
    if isNew {
      saidAt = now
      return .begun
    }
    // Another reason is news, but two that take turns are not.
    guard now - saidAt >= (isOtherReason ? Self.repetition / 10 : Self.repetition) else { return nil }
    saidAt = now
    return .lasting(failures: failures)
  }

  /// A script was started (`lived`: and has shown that it runs). How long it had been so, if that ends it.
  mutating func worked(lived: Bool, at now: Duration) -> Duration? {
    guard let cause, lived || cause != .interpreter else { return nil }
    self.cause = nil
    return now - began
  }

  /// 0.5 to 2 s for what passes by itself, 1 to 10 s for what somebody has to mend.
  private static func pause(_ cause: Cause, round: Int) -> Duration {
    let doubled = 1 << min(round - 1, 4)
    return cause == .resources ? min(.milliseconds(500 * doubled), .seconds(2)) : min(.seconds(doubled), .seconds(10))
  }
}
