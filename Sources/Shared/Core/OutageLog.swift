import Logging

/// Says in the log that something is away and that it is back, in its owner's words; what comes and goes is counted (`FlapPolicy`).
public struct OutageLog {
  private let subject: String
  private let log: Logger
  private let backLevel: Logger.Level
  private var policy = FlapPolicy()
  private var isAway = false
  private var text = ""

  /// `subject`: what it is, for lines about many changes ("the database"). `back`: the level of a line that says that it is there.
  public init(_ subject: String, log: Logger, back: Logger.Level = .info) {
    self.subject = subject
    self.log = log
    backLevel = back
  }

  /// To be called with every sign of it; only a change is said. `cause`: the kind of error, without what differs from time to time; outages
  /// of each kind are counted for themselves.
  public mutating func away(_ text: String, cause: String = "", at now: MonotonicTime) { saw(away: true, text, cause, now) }

  public mutating func back(_ text: String, at now: MonotonicTime) { saw(away: false, text, "", now) }

  private mutating func saw(away: Bool, _ text: String, _ cause: String, _ now: MonotonicTime) {
    let saying = policy.saw(away: away, cause: cause, at: .nanoseconds(now.nanoseconds))
    if saying != nil || isAway != away { self.text = text }
    isAway = away
    say(saying)
  }

  /// To be called about every second: says how often it came and went, and that it does so no more.
  public mutating func look(at now: MonotonicTime) { say(policy.look(at: .nanoseconds(now.nanoseconds))) }

  private func say(_ saying: FlapPolicy.Saying?) {
    let level = isAway ? Logger.Level.error : backLevel
    switch saying {
    case nil: break
    case .change: log.log(level: level, "\(text)")
    case .begun: log.log(level: level, "\(text). It comes and goes: from now on outages of this kind are counted and said once a minute")
    case .lasting(let outages):
      log.warning("\(subject) went away \(outages) times since the last line and is not steady yet; last: \(text)")
    case .over(let outages): log.log(level: level, "\(text) (steady again, after \(outages) more times that it was away)")
    }
  }
}
