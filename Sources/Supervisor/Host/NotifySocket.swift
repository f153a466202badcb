import CSystemd
import Core
import Glibc
import Logging

/// The socket of sd_notify(3).
///
/// libsystemd's own function waits while the socket is full, which may be for ever: whoever reads it may be stopped. Here nothing waits.
final class NotifySocket: ServiceManager {
  /// `/path` or `@name`.
  let address: String
  let watchdogInterval: Duration?
  private var fd: Int32 = -1

  /// nil: there is no service manager, or its address is none.
  init?(address: String? = ScriptEnvironment.value("NOTIFY_SOCKET"), log: Logger) {
    guard let address, !address.isEmpty else { return nil }
    guard SocketAddress.use(text: address, { _, _ in 0 }) == 0 else {
      log.warning("NOTIFY_SOCKET=\(address) is no address of a Unix socket: the service manager is told nothing")
      return nil
    }
    self.address = address
    let interval = systemd_watchdog_interval()
    watchdogInterval = interval > 0 ? .microseconds(Int64(clamping: interval)) : nil
  }

  deinit { if fd >= 0 { close(fd) } }

  var microseconds: Int {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return time.tv_sec * 1_000_000 + time.tv_nsec / 1000
  }

  func send(_ text: String) -> SystemError? {
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
