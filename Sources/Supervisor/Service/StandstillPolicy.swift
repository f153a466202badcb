/// Whether scripts of a type are started while some are due. Servers that answer, beats that come and busy slots prove nothing of that.
///
/// Times are readings of the boot clock as time since boot.
struct StandstillPolicy: Equatable, Sendable {
  /// What the type's child says of itself.
  struct Observation: Equatable, Sendable {
    /// After a period without a start a device is polled late by a whole period.
    var period: Duration
    var slots = 0
    var queued = 0
    var oldestDue: Duration?
    var lastStart: Duration?
    /// When it was last asked successfully what is due; nil where only the leading node of a cluster asks.
    var lastAsked: Duration?
    /// What waits may have to, for the end of the run before it.
    var isExcused = false
  }

  /// Nobody is alarmed earlier, however short the period.
  static let shortestLimit = Duration.seconds(60)

  /// Since when something has been due and nothing was started.
  private var since: Duration?

  static func limit(_ period: Duration) -> Duration { max(period, shortestLimit) }

  /// How long nothing was started; nil: work goes on, or not for long enough.
  mutating func observe(_ observation: Observation, now: Duration) -> Duration? {
    let limit = Self.limit(observation.period)
    if let asked = observation.lastAsked, observation.slots > 0, now - asked >= limit { return now - asked }
    let isDue = observation.queued > 0 || observation.oldestDue != nil
    guard isDue, observation.slots > 0, !observation.isExcused else {
      since = nil
      return nil
    }
    let start = max(since ?? now, min(observation.lastStart ?? .zero, now))
    since = start
    return now - start >= limit ? now - start : nil
  }

  mutating func shift(by lateness: Duration) {
    since = since.map { $0 + lateness }
  }
}
