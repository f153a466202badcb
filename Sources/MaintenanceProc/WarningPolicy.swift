/// When a warning is said: once when it begins, again each hour while it lasts, and once when it is over.
///
/// It begins after the fault was seen without a break for a while and ends after it was absent as long as that takes; in between nothing
/// changes, so a figure that swings around its limit is one warning.
struct WarningPolicy: Equatable, Sendable {
  enum Signal: Equatable, Sendable {
    case bad
    /// Between the limits, or not known now.
    case unclear
    case good
  }

  enum Saying: Equatable, Sendable { case begun, lasting, over }

  static let repetition = Duration.seconds(3600)

  /// Said, and not over yet.
  private(set) var isActive = false
  private var saidAt = Duration.zero
  /// Since when the looks contradict `isActive`.
  private var contradictedSince: Duration?

  /// A look at `now` on any monotonic clock; what is to be said, if anything.
  mutating func observe(_ signal: Signal, onset: Duration, calm: Duration, at now: Duration) -> Saying? {
    guard signal == (isActive ? .good : .bad) else {
      contradictedSince = nil
      guard isActive, now - saidAt >= Self.repetition else { return nil }
      saidAt = now
      return .lasting
    }
    let since = contradictedSince ?? now
    contradictedSince = since
    guard now - since >= (isActive ? calm : onset) else { return nil }
    isActive.toggle()
    contradictedSince = nil
    saidAt = now
    return isActive ? .begun : .over
  }
}
