/// When a question of the diagnosis to the database is asked again. Times are durations on one monotonic clock.
struct LookPolicy: Equatable, Sendable {
  /// What has changed is looked at again after this.
  static let confirmation = Duration.seconds(60)
  /// What is said to be wrong is looked at so often until it is mended: who has mended it waits for that in front of `status`.
  static let relief = Duration.seconds(20)

  /// From the start of the process to the first question.
  let first: Duration
  /// Between two questions when all is well.
  let interval: Duration
  private(set) var askedAt: Duration?
  /// A question is under way.
  private(set) var isAsked = false
  private var isUrgent = false
  private var isActive = false
  private var isStale = false

  init(first: Duration, interval: Duration) {
    self.first = first
    self.interval = interval
  }

  func isDue(now: Duration, startedAt: Duration) -> Bool {
    guard !isAsked else { return false }
    guard let askedAt, !isStale else { return now - startedAt >= first }
    return now - askedAt >= (isActive ? Self.relief : isUrgent ? Self.confirmation : interval)
  }

  mutating func asked(now: Duration) {
    askedAt = now
    isAsked = true
    isStale = false
  }

  /// `isUrgent`: the answer contradicts what was said last, and the next one decides. `isActive`: a fault was said and is not over.
  mutating func answered(isUrgent: Bool, isActive: Bool) {
    isAsked = false
    self.isUrgent = isUrgent
    self.isActive = isActive
  }

  /// There was no answer: nothing is known that was not known before. `passes`: what kept it will be over soon, so it is asked again at once.
  mutating func failed(passes: Bool = false) {
    isAsked = false
    if passes { askedAt = nil }
  }

  /// What was answered, or will be to the question under way, is of the past: the configuration has changed.
  mutating func forgetAnswer() { isStale = true }
}
