/// When a job that this node began itself may begin again, whatever the database says.
///
/// The database is right about devices that others have polled. About a job of our own it can only be late: a server that has become
/// read-only, a replica that is behind, a trigger, another database, a clock that stands still leave the device due, and it would run again
/// each second. Times are durations on one monotonic clock.
public struct OwnClockPolicy: Equatable, Sendable {
  public enum Verdict: Equatable, Sendable {
    case immediately
    /// At the end of its period, to the millisecond.
    case at(Duration)
    /// The next query will name it again.
    case notYet
  }

  /// A device that the database does not know as done, although it was done here, is done again after this at the latest: until it has been
  /// discovered it is not polled at all, and a period of discovery is hours.
  static let newcomerLimit = Duration.seconds(300)

  private struct Run: Equatable, Sendable {
    var began: Duration
    /// nil while it runs.
    var ended: Duration?
    /// The device had a time in the database before, or a query that was asked after the end has shown that it has one now.
    var isKnown: Bool
  }

  private var runs: [String: Run] = [:]
  /// Those that the last query named without a time.
  private var newcomers: Set<String> = []

  public init() {}

  public mutating func began(_ payload: String, at now: Duration) {
    runs[payload] = Run(began: now, isKnown: !newcomers.contains(payload))
  }

  /// `isDone`: false for a run after which other rules say when the next one is: a failure, a device that is down, a cut.
  public mutating func ended(_ payload: String, isDone: Bool, at now: Duration) {
    if isDone { runs[payload]?.ended = now } else { runs[payload] = nil }
  }

  /// The process of the job never ran.
  public mutating func forget(_ payload: String) { runs[payload] = nil }

  /// Runs that began before this can't matter any more.
  public mutating func forget(before time: Duration) { runs = runs.filter { $0.value.began > time } }

  public func lastBegin(_ payload: String) -> Duration? { runs[payload]?.began }

  /// The answer of a query that names all newcomers: a device that is not among them has a time in the database. If its time is taken away
  /// later somebody wants it done again: LibreNMS's "rediscover" does just that.
  public mutating func named(newcomers: Set<String>, askedAt: Duration) {
    self.newcomers = newcomers
    for (payload, run) in runs where !run.isKnown {
      if let ended = run.ended, ended + StayedDuePolicy.grace <= askedAt, !newcomers.contains(payload) { runs[payload]?.isKnown = true }
    }
  }

  /// What to do with a job that the database names. `isEarly`: due within seconds only, for a node that knows exactly; `horizon`: how long before
  /// the end of its period it may be given a timer.
  public func verdict(
    _ payload: String, isNewcomer: Bool, isEarly: Bool, period: Duration?, horizon: Duration, now: Duration
  ) -> Verdict {
    guard let period, let run = runs[payload], !(isNewcomer && run.isKnown) else { return isEarly ? .notYet : .immediately }
    let end = run.began + (isNewcomer ? min(period, Self.newcomerLimit) : period)
    if end <= now { return .immediately }
    return end - now <= horizon ? .at(end) : .notYet
  }

  /// How long a job that another node has queued is still too early here; nil = it may run. Half a period: the node that queued it may have
  /// another one.
  public func tooEarly(_ payload: String, period: Duration, now: Duration) -> Duration? {
    guard let run = runs[payload], run.ended != nil else { return nil }
    let left = run.began + period / 2 - now
    return left > .zero ? left : nil
  }
}
