import Core
import Logging

/// The service manager's ear: the messages of sd_notify(3), silent where there is none.
///
/// What is not taken at once is tried again each second, with the values of then.
final class ServiceNotifier {
  /// A service manager that is busy, with a reload of its units for example, reads on after seconds.
  private static let patience = Duration.seconds(10)

  private let loop: EventLoop
  private let log: Logger
  /// nil: nobody wants to know.
  private let manager: (any ServiceManager)?
  private var plan = NotificationPlan()
  private var status = ""
  private var saidReady = false
  private var waitsSince: MonotonicTime?
  private var saidStuck = false

  init(manager: (any ServiceManager)?, loop: EventLoop, log: Logger) {
    self.manager = manager
    self.loop = loop
    self.log = log
  }

  /// How often the service manager wants to hear WATCHDOG=1; nil = it does not watch.
  var watchdogInterval: Duration? { manager?.watchdogInterval }

  var isReady: Bool { saidReady }

  func ready() {
    saidReady = true
    plan.say(status: status)
    plan.enter(.ready)
    flush()
  }

  /// Sent only when it changed, and by the caller at most once a second: the service manager logs and relays every one.
  func status(_ text: String) {
    guard text != status else { return }
    status = text
    plan.say(status: text)
    flush()
  }

  func reloading() {
    guard saidReady, let manager else { return }
    plan.enter(.reloading(microseconds: manager.microseconds))
    flush()
  }

  func reloaded() {
    guard saidReady else { return }
    plan.enter(.ready)
    flush()
  }

  func stopping() {
    plan.enter(.stopping)
    flush()
  }

  /// `isWell`: what the service manager waits for; a beat that it has not taken yet would be a lie from then on.
  func watchdog(isWell: Bool) {
    if isWell { plan.beat() } else { plan.withholdBeat() }
    flush()
  }

  /// Asks for more time than the unit's limit, from now on.
  func extendTimeout(by duration: Duration) {
    plan.extendTimeout(microseconds: duration.nanoseconds / 1000)
    flush()
  }

  /// To be called about every second: sends what was not taken before.
  func flush() {
    guard let manager else { return }
    while let text = plan.next {
      if let failure = manager.send(text) { return wait(failure, manager.address) }
      plan.sent()
    }
    waitsSince = nil
    if saidStuck { log.notice("the service manager takes what it is told again") }
    saidStuck = false
  }

  private func wait(_ failure: SystemError, _ address: String) {
    let now = loop.now
    let since = waitsSince ?? now
    waitsSince = since
    guard now - since >= Self.patience, !saidStuck else { return }
    saidStuck = true
    log.warning(
      """
      the service manager has taken nothing of what it was told for \(StatusText.age(now - since)) (NOTIFY_SOCKET=\(address): \
      \(failure.reason)); it is told again each second, and may end this service meanwhile for its silence
      """)
  }
}
