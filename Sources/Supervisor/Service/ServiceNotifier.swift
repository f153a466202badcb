import CSystemd
import Core
import Glibc
import Logging

/// The service manager's ear: the messages of sd_notify(3), silent where there is none.
///
/// libsystemd's own function waits while the socket is full, which may be for ever: whoever reads it may be stopped. Here nothing waits.
/// What is not taken at once is tried again each second, with the values of then.
final class ServiceNotifier {
  /// A service manager that is busy, with a reload of its units for example, reads on after seconds.
  private static let patience = Duration.seconds(10)

  private let loop: EventLoop
  private let log: Logger
  /// `/path` or `@name`; nil: nobody wants to know.
  private let address: String?
  private var fd: Int32 = -1
  private var plan = NotificationPlan()
  private var status = ""
  private var saidReady = false
  private var waitsSince: MonotonicTime?
  private var saidStuck = false
  /// How often the service manager wants to hear WATCHDOG=1; nil = it does not watch.
  let watchdogInterval: Duration?

  init(address: String? = ScriptEnvironment.value("NOTIFY_SOCKET"), loop: EventLoop, log: Logger) {
    self.loop = loop
    self.log = log
    if let address, !address.isEmpty {
      let isKnown = SocketAddress.use(text: address) { _, _ in 0 } == 0
      if !isKnown { log.warning("NOTIFY_SOCKET=\(address) is no address of a Unix socket: the service manager is told nothing") }
      self.address = isKnown ? address : nil
    } else {
      self.address = nil
    }
    let interval = systemd_watchdog_interval()
    watchdogInterval = interval > 0 ? .microseconds(Int64(clamping: interval)) : nil
  }

  deinit { if fd >= 0 { close(fd) } }

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
    guard saidReady else { return }
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    plan.enter(.reloading(microseconds: time.tv_sec * 1_000_000 + time.tv_nsec / 1000))
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
    guard let address else { return }
    while let text = plan.next {
      if let failure = send(text, to: address) { return wait(failure, address) }
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

  private func send(_ text: String, to address: String) -> SystemError? {
    if fd < 0 { fd = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0) }
    guard fd >= 0 else { return SystemError("socket") }
    let bytes = Array(text.utf8)
    let sent = SocketAddress.use(text: address) { peer, length in
      // By its address each time: the service manager may have made its socket anew.
      sendto(fd, bytes, bytes.count, Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL), peer, length) == bytes.count ? 0 : -1
    }
    return sent == 0 ? nil : SystemError("send")
  }
}
