import Core
import Glibc
import Logging

/// Looks at LibreNMS's log file once per polling period, and has children replaced when nobody writes it (`service_watchdog_enabled`).
final class LogWatchdog {
  private struct Look: Sendable {
    var path: String
    var finding: LogWatchdogPolicy.Finding
  }

  private let log: Logger
  private let call: BlockingCall<Look>
  private var policy = LogWatchdogPolicy()
  private var isExcused = false
  /// Carries out a bark: the pollers' child alone, or every child.
  var replace: (_ everyChild: Bool) -> Void = { _ in }

  /// Throws when the kernel refuses a descriptor.
  init(loop: EventLoop, log: Logger) throws {
    self.log = log
    call = try BlockingCall(loop: loop)
    call.onEnd = { [weak self] look in self?.looked(look) }
  }

  /// A node that does not poll has no log to watch: what writes it is elsewhere, and no child here could cure its silence.
  func configure(_ settings: Settings, now: MonotonicTime) {
    let polls = settings[.poller].enabled && settings[.poller].workers > 0
    let watch = LogWatchdogPolicy.Watch(path: settings.logFile, period: settings[.poller].frequency)
    policy.configure(settings.watchdogEnabled && polls ? watch : nil, now: now.sinceBoot)
  }

  /// To be called about every second. `isExcused`: it is known why nothing is written, and a restart would not help.
  func turn(now: MonotonicTime, isExcused: Bool) {
    self.isExcused = isExcused
    let due = policy.turn(now: now.sinceBoot)
    carryOut(due.actions)
    guard let path = due.path else { return }
    guard let failure = call.start({ Look(path: path, finding: Self.find(path)) }) else { return }
    policy.lookFailed()
    log.error("can't look at the log file \(path) (log_file): \(failure)")
  }

  func shift(by lateness: Duration) { policy.shift(by: lateness) }

  private static func find(_ path: String) -> LogWatchdogPolicy.Finding {
    var status = stat()
    guard stat(path, &status) == 0 else { return .missing(SystemError("stat").reason) }
    // Containers send the log to a pipe or a terminal, whose times say nothing about writes.
    guard status.st_mode & S_IFMT == S_IFREG else { return .missing("it is no regular file") }
    return .file(
      LogWatchdogPolicy.Stamp(
        inode: UInt64(status.st_ino), size: Int64(status.st_size), seconds: Int64(status.st_mtim.tv_sec),
        nanoseconds: Int64(status.st_mtim.tv_nsec)))
  }

  private func looked(_ look: Look) {
    carryOut(policy.looked(look.path, look.finding, excused: isExcused))
  }

  private func carryOut(_ actions: [LogWatchdogPolicy.Action]) {
    for action in actions { carryOut(action) }
  }

  private func carryOut(_ action: LogWatchdogPolicy.Action) {
    guard let watch = policy.watch else { return }
    let name = "the log file \(watch.path) (log_file)"
    switch action {
    case .bark(let round, let silence):
      let what = "BARK: \(name) has not been written for \(StatusText.age(silence))"
      switch round {
      case 1: log.critical("\(what), longer than a polling period: the poller child is replaced, its scripts go on")
      case 2: log.critical("\(what), though the poller child was replaced: every child is replaced, their scripts go on")
      default:
        log.critical(
          """
          \(what), though every child was replaced \(round - 2 == 1 ? "once" : "\(round - 2) times"): they are replaced again. Does \
          LibreNMS on this node write that file? If not, correct log_file or turn service_watchdog_enabled off
          """)
      }
      replace(round > 1)
    case .sayMissing(let why):
      log.error("the watchdog can't see \(name): \(why). Nothing is restarted for that; correct log_file, or make the file")
    case .sayFound: log.notice("\(name) is there now and is watched")
    case .sayWritten(let rounds): log.notice("\(name) is written again, after \(rounds == 1 ? "one bark" : "\(rounds) barks")")
    case .sayStuck:
      log.error(
        "a look at \(name) has not returned for \(StatusText.age(watch.period)): its file system hangs; nothing is restarted for that")
    case .sayUnstuck: log.notice("the look at \(name) has returned")
    }
  }
}
