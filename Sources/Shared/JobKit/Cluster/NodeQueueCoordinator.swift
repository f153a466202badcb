import Core
import Logging

/// Queue and locks of work that each node of a cluster has for itself: in memory, but some of it under a lock of the cluster that only
/// one node holds at a time. A job whose lock another node holds is tried again every 5 s.
final class NodeQueueCoordinator: Coordinator {
  private static let retry = Duration.seconds(5)
  /// After this long a job goes on without its lock, as a Python node does: an installation must not stay without maintenance for ever
  /// because of a lock that nobody releases.
  static let patience = Duration.seconds(86100)

  private struct Waiting {
    var item: QueueItem
    var next: MonotonicTime
  }

  private let local: LocalCoordinator
  private let cluster: RedisCoordinator
  private let type: any SchedulerType
  private let log: Logger
  private var waiting: [Waiting] = []
  /// Since when a job waits for its lock, by payload.
  private var since: [String: MonotonicTime] = [:]
  var onWake: (() -> Void)?

  init(type: any SchedulerType, cluster: RedisCoordinator, log: Logger) {
    local = LocalCoordinator(lockName: { type.lockName($0) }, clock: { [loop = cluster.loop] in loop.now })
    self.cluster = cluster
    self.type = type
    self.log = log
    local.onWake = { [weak self] in self?.onWake?() }
    cluster.onWake = { [weak self] in self?.onWake?() }
  }

  /// Its own work needs no leave of the cluster.
  var leads: Bool { true }
  var isAway: Bool { cluster.isAway }
  var needsPolling: Bool { false }
  var depth: Int { local.depth + waiting.count }
  var depthIsKnown: Bool { true }
  var worthwhileTakes: Int { local.worthwhileTakes }
  var oldest: MonotonicTime? { (since.values.map { $0 } + [local.oldest].compactMap { $0 }).min() }

  func turn(at now: MonotonicTime) {
    cluster.turn(at: now)
    let due = waiting.filter { $0.next <= now }
    guard !due.isEmpty else { return }
    waiting.removeAll { $0.next <= now }
    local.enqueue(due.map(\.item), respectingLocks: false)
  }

  func enqueue(_ items: [QueueItem], respectingLocks: Bool, tick: TickRun?, _ done: @escaping (EnqueueResult) -> Void) {
    // What waits for its lock waits already.
    let new = items.filter { since[$0.payload] == nil }
    local.enqueue(new, respectingLocks: respectingLocks, tick: tick, done)
  }

  func lastTick(_ name: String, _ answer: @escaping (TickMemory) -> Void) { answer(.own) }
  func lift(_ item: QueueItem, _ answer: @escaping (Result<Bool, CoordinatorFailure>) -> Void) { local.lift(item, answer) }

  func presence(of item: QueueItem, _ answer: @escaping (Presence) -> Void) { local.presence(of: item, answer) }

  func take(_ owner: SlotOwner, _ answer: @escaping (TakeResult) -> Void) {
    local.take(owner) { [weak self] result in
      guard let self, case .job(let job) = result, let name = type.clusterLock(job.item) else { return answer(result) }
      let shared = TakenJob(item: job.item, lock: cluster.names.lock(name), owner: cluster.leader, slot: job.slot)
      cluster.acquire(shared) { [weak self] acquisition in
        guard let self else { return }
        if acquisition == .ours {
          since[job.item.payload] = nil
          local.adopt(mine(shared))
          return answer(.job(shared))
        }
        wait(job, acquisition, answer)
      }
    }
  }

  private func wait(_ job: TakenJob, _ acquisition: Acquisition?, _ answer: @escaping (TakeResult) -> Void) {
    let now = cluster.loop.now
    let holder =
      if case .held(let owner) = acquisition { "\(owner) holds the lock" } else {
        "its lock can't be asked for, \(cluster.fault ?? "Redis is away")"
      }
    let begun = since[job.item.payload] ?? now
    guard now - begun < Self.patience else {
      log.warning("\(job.item.payload) goes on without the lock of the cluster after \(Self.patience.components.seconds) s: \(holder)")
      since[job.item.payload] = nil
      return answer(.job(job))
    }
    if since[job.item.payload] == nil { log.info("\(job.item.payload) waits: \(holder)") }
    since[job.item.payload] = begun
    local.finish(job, hold: nil)
    waiting.append(Waiting(item: job.item, next: now + Self.retry))
    answer(.empty)
    // Other work need not wait for this.
    if local.depth > 0 { onWake?() }
  }

  /// The same job as the local queue knows it.
  private func mine(_ job: TakenJob) -> TakenJob {
    TakenJob(item: job.item, lock: type.lockName(job.item), owner: job.owner, slot: job.slot)
  }

  private func isShared(_ job: TakenJob) -> Bool { job.lock.hasPrefix(cluster.names.lock("")) }

  func finish(_ job: TakenJob, hold: Duration?, _ done: @escaping () -> Void) {
    local.finish(mine(job), hold: hold)
    if isShared(job) { cluster.finish(job, hold: nil, done) } else { done() }
  }

  func putBack(_ job: TakenJob) {
    finish(job, hold: nil)
    local.enqueue([job.item], respectingLocks: false)
  }

  func putBackUnstarted(_ job: TakenJob) {
    local.putBack(mine(job))
    if isShared(job) { cluster.finish(job, hold: nil) {} }
  }

  func adopt(_ job: TakenJob) {
    local.adopt(mine(job))
    if isShared(job) { cluster.adopt(job) }
  }

  func restore(lock: String, owner: String, until: MonotonicTime) { local.restore(lock: lock, owner: owner, until: until) }
  func isHeld(_ lock: String) -> Bool { local.isHeld(lock) }

  func holder(of lock: String, _ answer: @escaping (Result<LockHolder?, CoordinatorFailure>) -> Void) {
    cluster.holder(of: lock, answer)
  }

  func releaseHold(_ lock: String, owner: String, _ answer: @escaping (Result<Bool, CoordinatorFailure>) -> Void) {
    answer(.success(false))
  }

  func locks(_ answer: @escaping (Result<(locks: [LockReport], omitted: Int), CoordinatorFailure>) -> Void) { cluster.locks(answer) }
  func retire(_ done: @escaping () -> Void) { cluster.retire(done) }
  func leave(_ done: @escaping () -> Void) { cluster.leave(done) }
  var fault: String? { cluster.fault }
}
