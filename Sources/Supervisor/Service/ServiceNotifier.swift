import CSystemd
import Core
import Glibc

/// The service manager's ear: sd_notify, silent where there is none.
final class ServiceNotifier {
  private var status = ""
  private var saidReady = false
  /// How often the service manager wants to hear WATCHDOG=1; nil = it does not watch.
  let watchdogInterval: Duration?

  init() {
    let interval = systemd_watchdog_interval()
    watchdogInterval = interval > 0 ? .microseconds(Int64(clamping: interval)) : nil
  }

  private func send(_ lines: String...) {
    _ = systemd_notify(lines.joined(separator: "\n"))
  }

  var isReady: Bool { saidReady }

  func ready() {
    saidReady = true
    send("READY=1", "STATUS=" + status)
  }

  /// Sent only when it changed, and by the caller at most once a second: the service manager logs and relays every one.
  func status(_ text: String) {
    guard text != status else { return }
    status = text
    send("STATUS=" + text)
  }

  func reloading() {
    guard saidReady else { return }
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    send("RELOADING=1", "MONOTONIC_USEC=\(time.tv_sec * 1_000_000 + time.tv_nsec / 1000)")
  }

  func reloaded() {
    if saidReady { send("READY=1") }
  }

  func stopping() { send("STOPPING=1") }
  func watchdog() { send("WATCHDOG=1") }

  /// Asks for more time than the unit's limit, from now on.
  func extendTimeout(by duration: Duration) { send("EXTEND_TIMEOUT_USEC=\(duration.nanoseconds / 1000)") }
}
