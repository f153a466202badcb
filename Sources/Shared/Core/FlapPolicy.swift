/// How often a state that comes and goes is said: the first outages of each cause one by one, what goes beyond that in numbers, until it is
/// steady.
///
/// A cause is a word of the caller's for the kind of error: a fault that is new is said at once, whatever else is being counted. Times are
/// readings of any monotonic clock.
public struct FlapPolicy: Equatable, Sendable {
  public enum Saying: Equatable, Sendable {
    /// This change, as it is.
    case change
    /// This change; further ones of its cause are counted.
    case begun
    /// So many outages were counted since the last line, and no end of it.
    case lasting(outages: Int)
    /// It has stayed as it is now, after so many outages that were counted.
    case over(outages: Int)
  }

  /// Outages of one cause in a row that are said one by one, each with its end.
  public static let burst = 2
  /// One more outage may be said after this time: what fails three times a minute is still said each time.
  public static let recovery = Duration.seconds(20)
  /// While it is counted: from line to line.
  public static let repetition = Duration.seconds(60)
  /// A state that was there for this long is no flapping; what is away is said sooner, since somebody may have to do something.
  public static let steadyWhenBack = Duration.seconds(20)
  public static let steadyWhenAway = Duration.seconds(10)
  /// Causes that are told apart at a time; what comes beside them counts as one more. It bounds the lines of a fault that has a new name
  /// each time.
  public static let causes = 4

  private struct Record: Equatable {
    /// Time that may still be spent on outages, `recovery` each.
    var credit = FlapPolicy.recovery * FlapPolicy.burst
    var creditAt: Duration
    var isCounted = false
    var seenAt: Duration

    init(at now: Duration) { (creditAt, seenAt) = (now, now) }

    /// False when there is no time left to spend.
    mutating func spend(at now: Duration) -> Bool {
      credit = min(FlapPolicy.recovery * FlapPolicy.burst, credit + max(.zero, now - creditAt))
      creditAt = now
      guard credit >= FlapPolicy.recovery else { return false }
      credit -= FlapPolicy.recovery
      return true
    }
  }

  /// Whatever finds no place among the causes that are told apart.
  private static let anyOther = ""

  /// nil = not known yet.
  private var isAway: Bool?
  /// Of the present outage, which may have another cause meanwhile.
  private var cause = anyOther
  /// The present outage, or the last one, was said: its end is, too.
  private var isSaid = true
  private var changedAt = Duration.zero
  private var records: [String: Record] = [:]
  private var counted = 0
  private var countedSinceSaid = 0
  private var saidAt = Duration.zero

  public init() {}

  /// Outages of some cause are counted instead of said.
  public var isCounting: Bool { records.values.contains(where: \.isCounted) }

  /// The state was seen; what is to be said about it, if it is another one than before. `cause` tells only of what is away.
  public mutating func saw(away: Bool, cause: String = "", at now: Duration) -> Saying? {
    guard away else { return sawBack(at: now) }
    let cause = place(of: cause, at: now)
    // One outage, however many errors tell of it: only one that nobody has heard of is said when it shows another cause.
    let isNew = isAway != true
    guard isNew || (!isSaid && cause != self.cause) else { return nil }
    if isNew { changedAt = now }
    isAway = true
    self.cause = cause
    return sawOutage(isNew: isNew, at: now)
  }

  private mutating func sawBack(at now: Duration) -> Saying? {
    guard isAway != false else { return nil }
    isAway = false
    changedAt = now
    return isSaid ? .change : nil
  }

  private mutating func sawOutage(isNew: Bool, at now: Duration) -> Saying? {
    var record = records[cause] ?? Record(at: now)
    defer { records[cause] = record }
    record.seenAt = now
    if !record.isCounted, record.spend(at: now) {
      // It was counted under the cause that it showed first.
      if !isNew { uncount() }
      isSaid = true
      return .change
    }
    isSaid = false
    let isFirst = !isCounting
    if isFirst { (counted, countedSinceSaid, saidAt) = (0, 0, now) }
    let isBegun = !record.isCounted
    record.isCounted = true
    guard isNew else { return nil }
    counted += 1
    if isBegun { return .begun }
    countedSinceSaid += 1
    return nil
  }

  private mutating func uncount() {
    counted = max(0, counted - 1)
    countedSinceSaid = max(0, countedSinceSaid - 1)
  }

  /// The name under which a cause is kept, `repetition` long. What has not failed for as long as that is forgotten.
  private mutating func place(of cause: String, at now: Duration) -> String {
    guard records[cause] == nil else { return cause }
    records = records.filter { $0.value.isCounted || now - $0.value.seenAt < Self.repetition }
    return records.count { $0.key != Self.anyOther } < Self.causes ? cause : Self.anyOther
  }

  /// To be called about every second.
  public mutating func look(at now: Duration) -> Saying? {
    guard isCounting else { return nil }
    if now - changedAt >= (isAway == true ? Self.steadyWhenAway : Self.steadyWhenBack) {
      for cause in records.keys { records[cause]?.isCounted = false }
      isSaid = true
      return .over(outages: counted)
    }
    guard now - saidAt >= Self.repetition else { return nil }
    saidAt = now
    defer { countedSinceSaid = 0 }
    // Another cause may go on meanwhile, with a line for each outage.
    for (cause, record) in records where now - record.seenAt >= Self.repetition { records[cause]?.isCounted = false }
    return countedSinceSaid > 0 ? .lasting(outages: countedSinceSaid) : nil
  }
}
