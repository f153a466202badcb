/// Finds jobs that end well while their device stays due: their time in the database does not move, or to the wrong moment.
///
/// Times are durations on one monotonic clock.
public struct StayedDuePolicy: Equatable, Sendable {
  /// Between the end of a script and the question: a reading server of a cluster may be behind the writing one.
  public static let grace = Duration.seconds(2)
  /// A device counts for so long after it was last seen.
  public static let memory = Duration.seconds(600)
  /// An end that no query has judged by then is forgotten: another node asks what is due.
  public static let patience = Duration.seconds(60)
  /// Both lists are cut here: more devices tell nothing more.
  public static let limit = 10_000

  private struct Success: Equatable, Sendable {
    var startedAt: Duration
    var endedAt: Duration
  }

  /// Ends that no query has judged yet: those of the last seconds.
  private var successes: [String: Success] = [:]
  /// When a query last named them in spite of their success.
  private var seen: [String: Duration] = [:]

  public init() {}

  /// A script ended with 0. Of several ends before the next query the first counts: a device with a short period would never be judged
  /// otherwise.
  public mutating func succeeded(_ payload: String, startedAt: Duration, at now: Duration) {
    guard successes.count < Self.limit, successes[payload] == nil else { return }
    successes[payload] = Success(startedAt: startedAt, endedAt: now)
  }

  /// Would the answer of a query that was asked at this moment tell anything?
  public func isWatching(askedAt: Duration) -> Bool {
    !seen.isEmpty || successes.contains { $0.value.endedAt + Self.grace <= askedAt }
  }

  /// The answer of a due query that was asked at this moment: everything that is due.
  public mutating func named(_ due: some Sequence<String>, askedAt: Duration, period: Duration) {
    let judged = successes.filter { $0.value.endedAt + Self.grace <= askedAt }
    for payload in judged.keys { successes[payload] = nil }
    var cured = Set(seen.keys)
    for payload in due {
      cured.remove(payload)
      guard let success = judged[payload] else {
        // It waits for the end of its period, and the database has not moved.
        if seen[payload] != nil { seen[payload] = askedAt }
        continue
      }
      // Near the end of its period a device is rightly due again: whole seconds, and the contract's one second less.
      let isFar = askedAt < success.startedAt + period - Swift.max(.seconds(3), period / 4)
      if isFar, seen.count < Self.limit || seen[payload] != nil { seen[payload] = askedAt }
    }
    for payload in cured { seen[payload] = nil }
  }

  /// Distinct devices that were seen lately.
  public mutating func count(at now: Duration) -> Int {
    if seen.contains(where: { now - $0.value > Self.memory }) { seen = seen.filter { now - $0.value <= Self.memory } }
    if successes.contains(where: { now - $0.value.endedAt > Self.patience }) {
      successes = successes.filter { now - $0.value.endedAt <= Self.patience }
    }
    return seen.count
  }

  /// The one of them that sorts first: the same as long as it is there.
  public var example: String? { seen.keys.min { $0.count == $1.count ? $0 < $1 : $0.count < $1.count } }
}
