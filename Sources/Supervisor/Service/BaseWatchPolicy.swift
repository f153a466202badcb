/// What it means that a base directory and the lock file in it are not those that the service was started with.
enum BaseWatchPolicy {
  /// A name, as it was found.
  enum Seen: Equatable, Sendable {
    /// `isSame`: what it led to at the start.
    case found(isSame: Bool)
    case missing
    /// It can't be looked at now.
    case unknown
  }

  enum Verdict: Equatable, Sendable {
    case fine
    /// Nothing can be started.
    case gone
    /// Another directory has its name: what it holds is worked on, and its lock is to be taken.
    case replaced
    /// The directory is the same and its lock file is not.
    case unlocked
  }

  static func judge(directory: Seen, lock: Seen) -> Verdict {
    switch directory {
    case .missing: .gone
    case .unknown: .fine
    case .found(false): .replaced
    case .found(true): lock == .missing || lock == .found(isSame: false) ? .unlocked : .fine
    }
  }
}
