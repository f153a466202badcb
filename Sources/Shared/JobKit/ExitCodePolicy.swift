/// What a script's end means for its job: the table of exit codes that LibreNMS's own dispatcher keeps.
public enum ExitCodePolicy {
  /// How a script ended.
  public enum Ending: Equatable, Sendable {
    case exited(Int32)
    case signalled(Int32)
    /// Ended by us at its limit.
    case timedOut
    /// Ended by us because the service stops at once.
    case stopped
    /// It could not be started.
    case notStarted
    /// It ended while nobody watched, and the database shows that it did its work.
    case unseenDone
    /// It ended while nobody watched, its work is not done, and the device is down.
    case unseenDown
    /// It ended while nobody watched, and the database shows that it did not do its work.
    case unseenLost
    /// It ended while nobody watched, and nothing tells whether it did its work.
    case unseen

    /// The moment of the end is known.
    public var wasSeen: Bool {
      switch self {
      case .exited, .signalled, .timedOut: true
      case .stopped, .notStarted, .unseenDone, .unseenDown, .unseenLost, .unseen: false
      }
    }
  }

  /// Which column of the table applies.
  public enum Kind: Sendable {
    /// poller and discovery. `downCodes`: 6, and 5 for `discovery.php`.
    case device(downCodes: Set<Int32>)
    case services(downCodes: Set<Int32>)
    case ping
    case alerting
    /// billing and daily.sh
    case report
  }

  public enum Outcome: Equatable, Sendable {
    case done
    /// The device does not answer: not an error, but not at once again.
    case down
    /// Cut off through no fault of its own.
    case cut
    case failed
  }

  public enum Hold: Equatable, Sendable {
    case release
    /// Keep the lock for this long from now.
    case keep(Duration)
    /// Leave the lock to its lifetime from the start of the job.
    case untilFrequency
  }

  public enum Severity: Equatable, Sendable { case none, debug, warning, error }

  public struct Verdict: Equatable, Sendable {
    public var outcome: Outcome
    public var hold: Hold
    public var severity: Severity

    public init(outcome: Outcome, hold: Hold, severity: Severity) {
      self.outcome = outcome
      self.hold = hold
      self.severity = severity
    }
  }

  /// The first hold after a failure; it doubles with each failure in a row. A failing device would otherwise be polled every second.
  public static let firstFailureHold = Duration.seconds(10)

  /// `failures`: how often this device failed in a row before. `frequency`: the period of the type, the longest hold.
  public static func verdict(_ kind: Kind, _ ending: Ending, failures: Int, downRetry: Duration, frequency: Duration) -> Verdict {
    switch ending {
    case .exited(0), .unseenDone, .unseen: return Verdict(outcome: .done, hold: .release, severity: .none)
    case .stopped: return Verdict(outcome: .cut, hold: .release, severity: .debug)
    case .unseenLost: return Verdict(outcome: .failed, hold: .release, severity: .warning)
    case .unseenDown: return Verdict(outcome: .down, hold: .keep(downRetry), severity: .debug)
    default: break
    }
    switch kind {
    case .device(let downCodes):
      if case .exited(let code) = ending, downCodes.contains(code) {
        return Verdict(outcome: .down, hold: .keep(downRetry), severity: .debug)
      }
      return Verdict(outcome: .failed, hold: .keep(failureHold(failures: failures, frequency: frequency)), severity: .error)
    case .services(let downCodes):
      if case .exited(let code) = ending, downCodes.contains(code) {
        return Verdict(outcome: .down, hold: .keep(downRetry), severity: .debug)
      }
      return Verdict(outcome: .failed, hold: .untilFrequency, severity: .warning)
    case .ping:
      return Verdict(outcome: .failed, hold: .release, severity: .warning)
    case .alerting:
      return Verdict(outcome: .failed, hold: .release, severity: ending == .exited(1) ? .warning : .error)
    case .report:
      if case .exited = ending { return Verdict(outcome: .failed, hold: .release, severity: .warning) }
      return Verdict(outcome: .failed, hold: .release, severity: .error)
    }
  }

  /// 10 s, 20 s, 40 s … up to the frequency.
  static func failureHold(failures: Int, frequency: Duration) -> Duration {
    var hold = firstFailureHold
    for _ in 0..<max(0, min(failures, 20)) where hold < frequency { hold = hold * 2 }
    return min(hold, max(frequency, firstFailureHold))
  }
}
