import Core

/// Queue and locks in memory, for a node without Redis.
public final class LocalCoordinator: Coordinator {
  public var onWake: (() -> Void)?
  private var queue = UniqueQueue()
  private var store = LockStore()
  private let lockName: (QueueItem) -> String
  private let keepsTicks: Bool
  private let clock: () -> MonotonicTime

  public init(lockName: @escaping (QueueItem) -> String, keepsTicks: Bool = false, clock: @escaping () -> MonotonicTime) {
    self.lockName = lockName
    self.keepsTicks = keepsTicks
    self.clock = clock
  }

  public var depth: Int { queue.count }
  public var depthIsKnown: Bool { true }
  public var worthwhileTakes: Int { max(1, queue.count) }

  public var oldest: MonotonicTime? { queue.oldest }

  public func lastTick(_ name: String, _ answer: @escaping (TickMemory) -> Void) { answer(.own) }

  public func enqueue(_ items: [QueueItem], respectingLocks: Bool, tick: TickRun?, _ done: @escaping (EnqueueResult) -> Void) {
    let now = clock()
    var added = false
    for item in items where !respectingLocks || store.holder(of: lockName(item), at: now) == nil {
      added = queue.add(item, at: now) || added
    }
    if added { onWake?() }
    done(.done)
  }

  public func lift(_ item: QueueItem, _ answer: @escaping (Result<Bool, CoordinatorFailure>) -> Void) {
    let waited = queue.contains(item.payload, group: item.group)
    queue.lift(item, at: clock())
    onWake?()
    answer(.success(waited))
  }

  public var leads: Bool { true }
  public var isAway: Bool { false }
  public var needsPolling: Bool { false }
  public func turn(at now: MonotonicTime) {}
  public func retire(_ done: @escaping () -> Void) { done() }

  public func take(_ owner: SlotOwner, _ answer: @escaping (TakeResult) -> Void) {
    let now = clock()
    while let item = next(at: now) {
      let lock = lockName(item)
      let name = owner.name(group: item.group)
      // The lock of a running job has no end here: it lives in this process and its job table, and both know when the job ends.
      if store.acquire(lock, owner: name, until: nil, at: now) {
        return answer(.job(TakenJob(item: item, lock: lock, owner: name, slot: owner.slot)))
      }
    }
    answer(.empty)
  }

  private func next(at now: MonotonicTime) -> QueueItem? {
    keepsTicks ? queue.take { store.holder(of: lockName($0), at: now) == nil } : queue.take()
  }

  public func presence(of item: QueueItem, _ answer: @escaping (Presence) -> Void) {
    if queue.contains(item.payload, group: item.group) { return answer(.waits) }
    answer(isHeld(lockName(item)) ? .runs : .absent)
  }

  public func finish(_ job: TakenJob, hold: Duration?, _ done: @escaping () -> Void) {
    defer { done() }
    let now = clock()
    if let hold, hold > .zero {
      store.set(lockName(job.item), owner: job.owner, until: now + hold, at: now)
    } else {
      store.release(lockName(job.item), owner: job.owner)
    }
  }

  public func putBack(_ job: TakenJob) {
    store.release(lockName(job.item), owner: job.owner)
    queue.add(job.item, at: clock())
  }

  public func putBackUnstarted(_ job: TakenJob) { putBack(job) }

  /// Not under the name that the job has noted: a predecessor that ran with Redis noted the key there, and the job would be taken again.
  public func adopt(_ job: TakenJob) {
    store.set(lockName(job.item), owner: job.owner, until: nil, at: clock())
  }

  public func restore(lock: String, owner: String, until: MonotonicTime) {
    store.set(lock, owner: owner, until: until, at: clock())
  }

  public func holder(of lock: String, _ answer: @escaping (Result<LockHolder?, CoordinatorFailure>) -> Void) {
    let now = clock()
    answer(
      .success(
        store.holder(of: lock, at: now).map { held in
          LockHolder(owner: held.owner, remaining: held.until.map { $0 - now }, isRunning: held.until == nil)
        }))
  }

  /// A lock without an end belongs to a job that runs.
  public func releaseHold(_ lock: String, owner: String, _ answer: @escaping (Result<Bool, CoordinatorFailure>) -> Void) {
    guard store.holder(of: lock, at: clock())?.until != nil else { return answer(.success(false)) }
    answer(.success(store.release(lock, owner: owner)))
  }

  public func locks(_ answer: @escaping (Result<(locks: [LockReport], omitted: Int), CoordinatorFailure>) -> Void) {
    let now = clock()
    let all = store.all(at: now)
    let shown = all.prefix(LockPage.limit).map { name, lock in
      LockReport(name: name, owner: lock.owner, remaining: lock.until.map { $0 - now }, isRunning: lock.until == nil)
    }
    answer(.success((shown, all.count - shown.count)))
  }

  public func isHeld(_ lock: String) -> Bool { store.holder(of: lock, at: clock()) != nil }
}
