/// When a log file that nobody writes any more means that children are replaced.
///
/// It compares what a file looks like from one look to the next, a period apart, and never the file's time with a clock: so neither a
/// clock that jumps nor a file server with another time makes a bark, a file that was old already when the service started has a whole
/// period, and a rotated file counts as written. Times are readings of the boot clock as time since boot.
struct LogWatchdogPolicy: Equatable, Sendable {
  struct Watch: Equatable, Sendable {
    var path: String
    /// Between two looks, and how long the file may stay as it is: the frequency of polling.
    var period: Duration
  }

  /// The parts of a file's description that every write changes, or its replacement.
  struct Stamp: Equatable, Sendable {
    var inode: UInt64
    var size: Int64
    var seconds: Int64
    var nanoseconds: Int64
  }

  enum Finding: Equatable, Sendable {
    case file(Stamp)
    /// There is no file, or it can't be looked at: why.
    case missing(String)
  }

  enum Action: Equatable, Sendable {
    /// `round` counts the barks since the last write: the first one replaces the pollers' child, each further one every child.
    case bark(round: Int, silentFor: Duration)
    case sayMissing(String)
    case sayFound
    case sayWritten(rounds: Int)
    /// A look has not returned for a whole period: a file server that hangs.
    case sayStuck
    case sayUnstuck
  }

  private(set) var watch: Watch?
  private var stamp: Stamp?
  private var since = Duration.zero
  private var nextLook = Duration.zero
  private var rounds = 0
  private var isMissing = false
  private var lookedAt: Duration?
  private var isStuck = false

  init() {}

  /// A configuration was loaded; nil = nobody wants the watchdog. What has changed is watched anew, with a whole period from now on.
  mutating func configure(_ new: Watch?, now: Duration) {
    guard new != watch else { return }
    let under = (lookedAt, isStuck)
    self = LogWatchdogPolicy()
    watch = new
    nextLook = now
    // A look that hangs is the thread's, whatever it was for.
    (lookedAt, isStuck) = under
  }

  /// What to look at now; nil = nothing yet. After an answer `looked` is to be called.
  mutating func turn(now: Duration) -> (path: String?, actions: [Action]) {
    guard let watch, now >= nextLook else { return (nil, []) }
    if let lookedAt {
      guard !isStuck, now - lookedAt >= watch.period else { return (nil, []) }
      isStuck = true
      return (nil, [.sayStuck])
    }
    nextLook = now + watch.period
    lookedAt = now
    return (watch.path, [])
  }

  /// A look could not be made at all; the next one comes a period later.
  mutating func lookFailed() { lookedAt = nil }

  /// `excused`: it is known why nothing is written, and no restart would cure that.
  mutating func looked(_ path: String, _ finding: Finding, excused: Bool) -> [Action] {
    guard let at = lookedAt else { return [] }
    lookedAt = nil
    var actions: [Action] = isStuck ? [.sayUnstuck] : []
    isStuck = false
    // The answer to a question that nobody asks any more.
    guard let watch, watch.path == path else { return actions }
    switch finding {
    case .missing(let why):
      if !isMissing { actions.append(.sayMissing(why)) }
      isMissing = true
      stamp = nil
      rounds = 0
    case .file(let found):
      if isMissing { actions.append(.sayFound) }
      isMissing = false
      guard found == stamp, !excused else {
        if rounds > 0, found != stamp { actions.append(.sayWritten(rounds: rounds)) }
        if found != stamp { rounds = 0 }
        stamp = found
        since = at
        return actions
      }
      guard at - since >= watch.period else { return actions }
      rounds += 1
      actions.append(.bark(round: rounds, silentFor: at - since))
    }
    return actions
  }

  /// The supervisor was away, and what should have written the file with it.
  mutating func shift(by lateness: Duration) {
    since += lateness
    nextLook += lateness
    lookedAt = lookedAt.map { $0 + lateness }
  }
}
