/// When something that the database refused is asked again, and whether that is said. Times are readings of any monotonic clock.
public struct RefusalPolicy: Equatable, Sendable {
  /// What passes by itself is asked again after this and up to half as much again, so that children don't come in step.
  public static let shortPause = Duration.seconds(1)
  /// What an admin has to mend.
  public static let longPause = Duration.seconds(30)
  /// What passes is said when it has not passed for this long.
  public static let patience = Duration.seconds(10)
  public static let repetition = Duration.seconds(60)

  private var since: Duration?
  private var saidAt: Duration?

  public init() {}

  /// `random`: 0 up to 1.
  public mutating func refused(isTransient: Bool, at now: Duration, random: Double) -> (pause: Duration, isSaid: Bool) {
    let begin = since ?? now
    since = begin
    let isLasting = !isTransient || now - begin >= Self.patience
    let isSaid = isLasting && (saidAt.map { now - $0 >= Self.repetition } ?? true)
    if isSaid { saidAt = now }
    return (isTransient ? Self.shortPause + Self.shortPause * (random / 2) : Self.longPause, isSaid)
  }

  /// It was answered. True: the trouble was said, and so is its end.
  public mutating func worked() -> Bool {
    defer { (since, saidAt) = (nil, nil) }
    return saidAt != nil
  }
}
