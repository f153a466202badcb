import Core
import Glibc
import Logging

/// Looks whether the base directory and the lock file in it are still those that this service was started with: both can be removed and made
/// anew under it, and then a second service could be started.
///
/// The directory may be on a file server, so each look is a thread of its own.
final class BaseWatch {
  private static let interval = Duration.seconds(3)
  /// A file server that is slower than this hangs.
  private static let patience = Duration.seconds(60)

  private struct Look: Sendable {
    var verdict: BaseWatchPolicy.Verdict
    /// What has the directory's name now.
    var directory: FileIdentity?
    /// A lock that was taken anew; nil: none was to be, or `refusal` says why not.
    var lock: InstanceLock?
    var refusal: String?
  }

  private let base: String
  private let log: Logger
  private let call: BlockingCall<Look>
  private let first: FileIdentity?
  private var directory: FileIdentity?
  private var lock: InstanceLock?
  private var askedAt: MonotonicTime?
  private var verdict = BaseWatchPolicy.Verdict.fine
  private var refusal: String?
  private var saidStuck = false

  /// `lock`: nil where several instances are allowed. Throws when the kernel refuses a descriptor.
  init(base: String, lock: InstanceLock?, loop: EventLoop, log: Logger) throws {
    self.base = base
    self.lock = lock
    self.log = log
    first = FileIdentity.of(path: base)
    directory = first
    call = try BlockingCall(loop: loop)
    call.onEnd = { [weak self] in self?.looked($0) }
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
    if call.isRunning, let askedAt, now - askedAt >= Self.patience, !saidStuck {
      saidStuck = true
      log.error("a look at \(base) has not returned for \(StatusText.age(now - askedAt)): its file system hangs")
    }
    guard !call.isRunning, askedAt.map({ now - $0 >= Self.interval }) ?? true else { return }
    askedAt = now
    let (base, directory, lock) = (base, directory, lock)
    // Without a thread the next look is as good.
    _ = call.start { Self.look(base, directory, lock) }
  }

  private static func look(_ base: String, _ directory: FileIdentity?, _ lock: InstanceLock?) -> Look {
    let found = FileIdentity.of(path: base)
    let seen = seen(found, directory)
    let lockSeen = lock.map { Self.seen(FileIdentity.of(path: InstanceLock.path(base)), $0.identity) } ?? .found(isSame: true)
    var look = Look(verdict: BaseWatchPolicy.judge(directory: seen, lock: lockSeen), directory: found)
    guard lock != nil, look.verdict == .replaced || look.verdict == .unlocked else { return look }
    do throws(InstanceLock.Refusal) { look.lock = try InstanceLock.takeFile(base: base, held: lock?.identity) } catch {
      look.refusal = "\(error)"
    }
    return look
  }

  /// To be called at once after the look: errno is read.
  private static func seen(_ found: FileIdentity?, _ known: FileIdentity?) -> BaseWatchPolicy.Seen {
    guard let found else { return errno == ENOENT || errno == ENOTDIR ? .missing : .unknown }
    return .found(isSame: found == known)
  }

  private func looked(_ look: Look) {
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

  private func relocked(_ look: Look) {
    if let fresh = look.lock {
      log.warning("the lock file \(InstanceLock.path(base)) was removed or replaced under this service: it is taken anew")
      lock = fresh
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
