import Core
import Logging

/// Looks at LibreNMS's log file once per polling period, and has children replaced when nobody writes it (`service_watchdog_enabled`).
final class LogWatchdog {
  private let host: any SupervisorHost
  private let log: Logger
  private var policy = LogWatchdogPolicy()
  private var isExcused = false
  /// Carries out a bark: the pollers' child alone, or every child.
  var replace: (_ everyChild: Bool) -> Void = { _ in }

  init(host: any SupervisorHost, log: Logger) {
    self.host = host
    self.log = log
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
    guard let failure = host.lookAtLog(path, { [weak self] in self?.looked(path, $0) }) else { return }
    policy.lookFailed()
    log.error("can't look at the log file \(path) (log_file): \(failure)")
  }

  func shift(by lateness: Duration) { policy.shift(by: lateness) }

  private func looked(_ path: String, _ finding: LogWatchdogPolicy.Finding) {
    carryOut(policy.looked(path, finding, excused: isExcused))
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
