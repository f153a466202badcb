import Core
import Glibc
import Logging

/// `service_health_file`: its age tells a container's health check whether this node does its work.
final class HealthFile {
  /// Twice as often as the contract asks for (10 s), so that one late turn does not make it old.
  static let interval = Duration.seconds(5)

  private struct Touch: Sendable {
    var path: String
    /// nil: done.
    var failure: SystemError?
  }

  private let log: Logger
  private let loop: EventLoop
  private var call: BlockingCall<Touch>
  private(set) var path = ""
  private var refreshedAt: MonotonicTime?
  private var failing = false

  /// Throws when the kernel refuses a descriptor.
  init(loop: EventLoop, log: Logger) throws {
    self.log = log
    self.loop = loop
    call = try BlockingCall(loop: loop)
    call.onEnd = { [weak self] in self?.touched($0) }
  }

  /// A configuration was loaded. An empty path means that nobody wants the file.
  func configure(path: String, now: MonotonicTime) {
    guard path != self.path else { return }
    self.path = path
    refreshedAt = nil
    failing = false
    // A touch that hangs belongs to the old path; the new one does not wait for it.
    if call.isRunning, let fresh = try? BlockingCall<Touch>(loop: loop) {
      fresh.onEnd = { [weak self] in self?.touched($0) }
      call = fresh
    }
  }

  /// Creates the file or refreshes its time, when that is due. On a file system that hangs it grows old, as it should.
  func refresh(now: MonotonicTime) {
    guard !path.isEmpty, !call.isRunning, refreshedAt.map({ now - $0 >= Self.interval }) ?? true else { return }
    refreshedAt = now
    let path = self.path
    if let failure = call.start({ Touch(path: path, failure: Self.touch(path)) }) { touched(Touch(path: path, failure: failure)) }
  }

  private static func touch(_ path: String) -> SystemError? {
    let fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0o644)
    guard fd >= 0 else { return SystemError("open") }
    defer { close(fd) }
    return futimens(fd, nil) == 0 ? nil : SystemError("touch")
  }

  private func touched(_ touch: Touch) {
    guard touch.path == path else { return }
    if let failure = touch.failure, !failing {
      log.error(
        "can't refresh the health file \(path) (service_health_file): \(failure.reason). Correct the setting or its folder's rights")
    }
    if touch.failure == nil, failing { log.notice("the health file \(path) can be written again") }
    failing = touch.failure != nil
  }
}
