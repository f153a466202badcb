import Core
import Redis

/// Takes from the queues of this node's groups, and knows how much waits there.
///
/// Of many free slots one takes first; its answer says how many more takes are worth sending (`TakePolicy`). Once the queues are empty the
/// server is asked to tell of their next change (`QueueWatch`), and nothing is sent until it does.
final class QueueTaker {
  /// With invalidations there is no need to look; now and then it costs nothing, should one have been lost.
  private static let lookAnyway = Duration.seconds(30)

  /// A take may be worth it.
  var onWake: (() -> Void)?
  /// This node works with the server.
  var isOpen: () -> Bool = { false }

  let watch: QueueWatch
  private let commands: ClusterClient
  private let reports: ClusterReports
  private let mark: MarkKeeper
  private let locks: LockKeeper
  private let groups: () -> [Int]
  /// A member whose lock is held stays queued.
  private let keepsTicks: Bool
  private var takes = TakePolicy()
  private var waiting = DepthPolicy()
  private var lookAt = MonotonicTime(nanoseconds: 0)
  private var context: ClusterContext { commands.context }

  init(
    _ commands: ClusterClient, _ reports: ClusterReports, _ mark: MarkKeeper, _ locks: LockKeeper, groups: @escaping () -> [Int],
    keepsTicks: Bool
  ) {
    self.commands = commands
    self.reports = reports
    self.mark = mark
    self.locks = locks
    self.groups = groups
    self.keepsTicks = keepsTicks
    watch = QueueWatch(commands.context, groups: groups)
  }

  // MARK: Taking

  /// Number of further `take` calls worth sending; without a server one, whose answer says so.
  var worthwhileTakes: Int { isOpen() ? takes.worthwhile(underWay: locks.takesUnderWay) : 1 }

  func take(_ owner: SlotOwner, _ answer: @escaping (TakeResult) -> Void) {
    guard isOpen() else { return answer(.unavailable) }
    guard mark.isBelieved else {
      commands.onStale?()
      return answer(.unavailable)
    }
    if takes.isDry {
      watchQueues()
      return answer(.empty)
    }
    let lifetime = locks.lifetime
    locks.takeBegins(owner.slot)
    let answered = { [weak self] (result: Result<Take, RedisError>) in
      guard let self else { return }
      switch result {
      case .success(.job(let job, let left, let oldest)):
        heard(left, oldest)
        if locks.mayStart(job, lifetime: lifetime) { return answer(.job(job)) }
        if keepsTicks { answer(.empty) } else { take(owner, answer) }
      case .success(.empty(let left, let oldest)):
        locks.takeFailed(owner.slot)
        heard(left, oldest)
        answer(.empty)
        // What is left of ticks is held up by locks: asking at once would find the same again and again.
        if takes.isDry || keepsTicks { watchQueues() } else { onWake?() }
      case .failure(let error):
        locks.takeFailed(owner.slot)
        reports.result(of: .take, error)
        answer(.unavailable)
      }
    }
    if keepsTicks, let group = groups().first {
      commands.takeTick(owner, group: group, ttl: lifetime, answered)
    } else {
      commands.take(owner, groups: groups(), ttl: lifetime, answered)
    }
  }

  /// What a take's answer says of the queues.
  private func heard(_ left: Int?, _ oldest: Double?) {
    reports.result(of: .take, nil)
    takes.answered(waiting: left)
    lookAt = context.loop.now + Self.lookAnyway
    if let left { waiting.said(waiting: left, lowest: oldest, at: context.instant) }
  }

  // MARK: Waking

  /// Something may be in the queues.
  func somethingWaits() {
    takes.doubt()
    onWake?()
  }

  /// To be called each second while this node works.
  func turn() {
    if needsPolling { takes.doubt() }
    refreshDepth()
  }

  func connectionChanged() {
    watch.changed(nil)
    takes.doubt()
    waiting.lost()
  }

  /// Nothing tells when the lock of a tick that waits is free; the node that holds it looks at once when it ends, the others each second.
  var needsPolling: Bool { !watch.isComplete || context.loop.now >= lookAt || isHeldUp }

  private var isHeldUp: Bool { keepsTicks && takes.isHeldUp }

  /// A free slot has nothing to do. A queue that has something by now wakes at once.
  private func watchQueues() {
    watch.complete(
      pause: { [weak self] in self.map { $0.takes.pauseBeforeTracking(at: $0.context.instant) } ?? .zero },
      isWanted: { [weak self] in self.map { $0.isOpen() && ($0.takes.isDry || $0.isHeldUp) } ?? false },
      found: { [weak self] keys in
        guard let self, !isHeldUp else { return }
        watch.changed(keys)
        somethingWaits()
      })
  }

  // MARK: Depth

  var depth: Int { waiting.waiting }

  var depthIsKnown: Bool { context.link.isUp && waiting.isKnown(at: context.instant) }

  /// For reports; to a second, as scores are wall clock times.
  var oldest: MonotonicTime? {
    let loop = context.loop
    return waiting.lowest.flatMap {
      // A clock that was set back does not make them due in the future.
      $0 > 1e6 ? loop.now - max(.zero, loop.wall - Duration(seconds: $0)) : nil
    }
  }

  /// Also a child without slots, which never takes, has to know what waits: its node reports it.
  private func refreshDepth() {
    guard waiting.shouldAsk(at: context.instant) else { return }
    commands.waiting(groups()) { [weak self] result in
      guard let self, case .success(let found) = result else { return }
      waiting.said(waiting: found.members, lowest: found.lowest, at: context.instant)
    }
  }
}
