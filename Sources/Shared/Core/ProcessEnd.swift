import Glibc

/// The way out of every process that has a log: its last lines are written first.
public enum ProcessEnd {
  /// A target that takes nothing costs the end so much.
  public static let flushLimit = Duration.seconds(1)

  /// Without the libraries' own endings: their threads may be in the middle of something, and what matters is outside of this process.
  public static func exit(_ code: Int32) -> Never {
    DispatcherLog.shared.ring.flush(limit: flushLimit)
    fflush(nil)
    _exit(code)
  }
}
