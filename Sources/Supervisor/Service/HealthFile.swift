import Core
import Glibc
import Logging

/// `service_health_file`: its age tells a container's health check whether this node does its work.
final class HealthFile {
  /// Twice as often as the contract asks for (10 s), so that one late turn does not make it old.
  static let interval = Duration.seconds(5)

  private let log: Logger
  private(set) var path = ""
  private var refreshedAt: MonotonicTime?
  private var failing = false

  init(log: Logger) {
    self.log = log
  }

  /// A configuration was loaded. An empty path means that nobody wants the file.
  func configure(path: String, now: MonotonicTime) {
    guard path != self.path else { return }
    self.path = path
    refreshedAt = nil
  }

  /// Creates the file or refreshes its time, when that is due.
  func refresh(now: MonotonicTime) {
    guard !path.isEmpty, refreshedAt.map({ now - $0 >= Self.interval }) ?? true else { return }
    refreshedAt = now
    let fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0o644)
    let done = fd >= 0 && futimens(fd, nil) == 0
    let error = SystemError("write")
    if fd >= 0 { close(fd) }
    if !done, !failing { log.error("can't refresh the health file \(path) (service_health_file): \(error.reason)") }
    if done, failing { log.notice("the health file \(path) can be written again") }
    failing = !done
  }
}
