import Core
import Logging

/// Looks whether the base directory and the lock file in it are still those that this service was started with: both can be removed and made
/// anew under it, and then a second service could be started.
///
/// The directory may be on a file server, so each look is a thread of its own.
final class BaseWatch {
  private static let interval = Duration.seconds(3)
  /// A file server that is slower than this hangs.
  private static let patience = Duration.seconds(60)

  private let host: any SupervisorHost
  private let log: Logger
  private let base: String
  private let first: FileIdentity?
  private var directory: FileIdentity?
  private var isLooking = false
  private var askedAt: MonotonicTime?
  private var verdict = BaseWatchPolicy.Verdict.fine
  private var refusal: String?
  private var saidStuck = false

  init(host: any SupervisorHost, log: Logger) {
    self.host = host
    self.log = log
    base = host.base
    first = host.baseIdentity
    directory = first
  }

  /// What is wrong with the directory, for people.
  var complaint: Complaint? {
    if saidStuck { return Complaint("the base directory \(base) does not answer: its file system hangs", isFatal: false) }
    if verdict == .gone { return Complaint("the base directory \(base) is gone: nothing can be started until it is back", isFatal: true) }
    if let refusal { return Complaint(refusal, isFatal: true) }
    guard directory != first else { return nil }
    return Complaint(
      """
      the base directory \(base) was removed or moved since the service was started, and another one has its name: that one is worked on. \
      Restart the service when it suits
      """, isFatal: false)
  }

  /// To be called about every second.
  func turn(now: MonotonicTime) {
    if isLooking, let askedAt, now - askedAt >= Self.patience, !saidStuck {
      saidStuck = true
      log.error("a look at \(base) has not returned for \(StatusText.age(now - askedAt)): its file system hangs")
    }
    guard !isLooking, askedAt.map({ now - $0 >= Self.interval }) ?? true else { return }
    askedAt = now
    isLooking = true
    // Without a thread the next look is as good.
    if host.lookAtBase(directory, { [weak self] in self?.looked($0) }) != nil { isLooking = false }
  }

  private func looked(_ look: BaseLook) {
    isLooking = false
    if saidStuck { log.notice("the base directory \(base) answers again") }
    saidStuck = false
    if look.verdict == .gone, verdict != .gone {
      log.error("the base directory \(base) is gone: nothing can be started until it is back")
    }
    if look.verdict != .gone, verdict == .gone { log.notice("the base directory \(base) is there again") }
    verdict = look.verdict
    switch look.verdict {
    case .fine: refusal = nil
    case .gone: return
    case .replaced:
      log.warning("the base directory \(base) was removed or moved under this service, and another one has its name: that one is worked on")
      relocked(look)
      directory = look.directory
    case .unlocked: relocked(look)
    }
  }

  private func relocked(_ look: BaseLook) {
    if look.isRelocked {
      log.warning("the lock file \(InstanceLock.path(base)) was removed or replaced under this service: it is taken anew")
      refusal = nil
    } else if let reason = look.refusal, reason != refusal {
      log.error("\(reason)")
      refusal = reason
    }
  }
}

/// What is wrong with the places that this service works in.
struct Complaint: Equatable {
  var text: String
  /// The node does not do its work because of it, or not alone.
  var isFatal: Bool

  init(_ text: String, isFatal: Bool) {
    self.text = text
    self.isFatal = isFatal
  }
}
