/// How often a state that comes and goes is said: the first outages one by one, what goes beyond that in numbers, until it is steady.
///
/// Times are readings of any monotonic clock.
public struct FlapPolicy: Equatable, Sendable {
  public enum Saying: Equatable, Sendable {
    /// This change, as it is.
    case change
    /// This change; those that follow are counted.
    case begun
    /// So many outages since the last line, and no end of it.
    case lasting(outages: Int)
    /// It has stayed as it is now, after so many outages that were counted.
    case over(outages: Int)
  }

  /// Outages in a row that are said one by one, each with its end.
  public static let burst = 2
  /// One more outage may be said after this time: what fails three times a minute is still said each time.
  public static let recovery = Duration.seconds(20)
  /// While it is counted: from line to line.
  public static let repetition = Duration.seconds(60)
  /// A state that was there for this long is no flapping; what is away is said sooner, since somebody may have to do something.
  public static let steadyWhenBack = Duration.seconds(20)
  public static let steadyWhenAway = Duration.seconds(10)

  /// nil = not known yet.
  private var isAway: Bool?
  private var changedAt = Duration.zero
  /// Time that may still be spent on outages, `recovery` each.
  private var credit = recovery * burst
  private var creditAt: Duration?
  public private(set) var isCounting = false
  private var counted = 0
  private var countedSinceSaid = 0
  private var saidAt = Duration.zero

  public init() {}

  /// The state was seen; what is to be said about it, if it is another one than before.
  public mutating func saw(away: Bool, at now: Duration) -> Saying? {
    guard away != isAway else { return nil }
    isAway = away
    changedAt = now
    guard !isCounting else {
      if away {
        counted += 1
        countedSinceSaid += 1
      }
      return nil
    }
    guard away else { return .change }
    let earned = creditAt.map { now - $0 } ?? .zero
    credit = min(Self.recovery * Self.burst, credit + max(.zero, earned))
    creditAt = now
    if credit >= Self.recovery {
      credit -= Self.recovery
      return .change
    }
    isCounting = true
    (counted, countedSinceSaid, saidAt) = (1, 0, now)
    return .begun
  }

  /// To be called about every second.
  public mutating func look(at now: Duration) -> Saying? {
    guard isCounting else { return nil }
    if now - changedAt >= (isAway == true ? Self.steadyWhenAway : Self.steadyWhenBack) {
      isCounting = false
      return .over(outages: counted)
    }
    guard now - saidAt >= Self.repetition else { return nil }
    saidAt = now
    defer { countedSinceSaid = 0 }
    return .lasting(outages: countedSinceSaid)
  }
}
