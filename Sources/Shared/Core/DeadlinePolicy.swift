/// What a script that is over its limit gets: TERM to its group, and KILL when that has not helped.
public enum DeadlinePolicy {
  /// Between TERM and KILL: PHP ends within milliseconds of TERM unless it is stuck in a system call.
  public static let grace = Duration.seconds(5)

  public enum Action: Equatable, Sendable {
    case none
    case terminate
    case kill
  }

  /// `terminatedAt`: when TERM was sent, by whoever was in charge then.
  public static func action(deadline: MonotonicTime?, terminatedAt: MonotonicTime?, now: MonotonicTime) -> Action {
    if let terminatedAt { return now >= terminatedAt + grace ? .kill : .none }
    guard let deadline, now >= deadline else { return .none }
    return .terminate
  }

  /// When `action` has to be asked again; nil = never.
  public static func nextLook(deadline: MonotonicTime?, terminatedAt: MonotonicTime?) -> MonotonicTime? {
    terminatedAt.map { $0 + grace } ?? deadline
  }
}
