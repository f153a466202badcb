/// When a trouble that lasts is said: at once, each minute while it lasts, and when it is over.
///
/// Times are readings of the boot clock as time since boot.
struct TroublePolicy: Equatable, Sendable {
  enum Saying: Equatable, Sendable {
    case lasts(String)
    case isOver
  }

  static let repetition = Duration.seconds(60)
  /// One that comes back within this time was not over.
  static let calm = Duration.seconds(10)

  private var saidAt: Duration?
  private var absentSince: Duration?

  /// `trouble`: its words now; nil: there is none.
  mutating func observe(_ trouble: String?, now: Duration) -> Saying? {
    if let trouble {
      absentSince = nil
      if let saidAt, now - saidAt < Self.repetition { return nil }
      saidAt = now
      return .lasts(trouble)
    }
    guard saidAt != nil else { return nil }
    let since = absentSince ?? now
    absentSince = since
    guard now - since >= Self.calm else { return nil }
    self = TroublePolicy()
    return .isOver
  }
}
