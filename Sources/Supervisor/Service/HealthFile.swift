import Core
import Logging

/// `service_health_file`: its age tells a container's health check whether this node does its work.
final class HealthFile {
  /// Twice as often as the contract asks for (10 s), so that one late turn does not make it old.
  static let interval = Duration.seconds(5)

  private let host: any SupervisorHost
  private let log: Logger
  private(set) var path = ""
  private var refreshedAt: MonotonicTime?
  private var failing = false
  private var isTouching = false

  init(host: any SupervisorHost, log: Logger) {
    self.host = host
    self.log = log
  }

  /// A configuration was loaded. An empty path means that nobody wants the file.
  func configure(path: String, now: MonotonicTime) {
    guard path != self.path else { return }
    self.path = path
    refreshedAt = nil
    failing = false
    // A touch that hangs belongs to the old path; the new one does not wait for it.
    isTouching = false
  }

  /// Creates the file or refreshes its time, when that is due. On a file system that hangs it grows old, as it should.
  func refresh(now: MonotonicTime) {
    guard !path.isEmpty, !isTouching, refreshedAt.map({ now - $0 >= Self.interval }) ?? true else { return }
    refreshedAt = now
    isTouching = true
    let path = self.path
    if let failure = host.touch(path, { [weak self] in self?.touched(path, $0) }) { touched(path, failure) }
  }

  private func touched(_ touched: String, _ failure: SystemError?) {
    guard touched == path else { return }
    isTouching = false
    if let failure, !failing {
      log.error(
        "can't refresh the health file \(path) (service_health_file): \(failure.reason). Correct the setting or its folder's rights")
    }
    if failure == nil, failing { log.notice("the health file \(path) can be written again") }
    failing = failure != nil
  }
}
