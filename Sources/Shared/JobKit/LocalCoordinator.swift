import Core

/// Queue and locks in memory, for a node without Redis.
public final class LocalCoordinator: Coordinator {
  public var onWake: (() -> Void)?
  private var queue = UniqueQueue()
  private var locks = LockStore()
  private let lockName: (QueueItem) -> String
  private let clock: () -> MonotonicTime

  public init(lockName: @escaping (QueueItem) -> String, clock: @escaping () -> MonotonicTime = { .now }) {
    self.lockName = lockName
    self.clock = clock
  }

  public var depth: Int { queue.count }

  public var oldest: MonotonicTime? { queue.oldest }

  public func lastTick(_ name: String, _ answer: @escaping (TickMemory) -> Void) { answer(.own) }

  public func enqueue(_ items: [QueueItem], respectingLocks: Bool, tick: TickRun?, _ done: @escaping (EnqueueResult) -> Void) {
    let now = clock()
    var added = false
    for item in items where !respectingLocks || locks.holder(of: lockName(item), at: now) == nil {
      added = queue.add(item, at: now) || added
    }
    if added { onWake?() }
    done(.done)
  }

  public func lift(_ item: QueueItem) {
    queue.lift(item, at: clock())
    onWake?()
  }

  public var leads: Bool { true }
  public var isAway: Bool { false }
  public var needsPolling: Bool { false }
  public func turn(at now: MonotonicTime) {}
  public func retire(_ done: @escaping () -> Void) { done() }

  public func take(_ owner: SlotOwner, _ answer: @escaping (TakeResult) -> Void) {
    let now = clock()
    while let item = queue.take() {
      let lock = lockName(item)
      let name = owner.name(group: item.group)
      // The lock of a running job has no end here: it lives in this process and its job table, and both know when the job ends.
      if locks.acquire(lock, owner: name, until: nil, at: now) {
        return answer(.job(TakenJob(item: item, lock: lock, owner: name, slot: owner.slot)))
      }
    }
    answer(.empty)
  }

  public func finish(_ job: TakenJob, hold: Duration?) {
    let now = clock()
    if let hold, hold > .zero {
      locks.set(job.lock, owner: job.owner, until: now + hold, at: now)
    } else {
      locks.release(job.lock, owner: job.owner)
    }
  }

  public func putBack(_ job: TakenJob) {
    locks.release(job.lock, owner: job.owner)
    queue.add(job.item, at: clock())
  }

  public func adopt(_ job: TakenJob) {
    locks.set(job.lock, owner: job.owner, until: nil, at: clock())
  }

  public func restore(lock: String, owner: String, until: MonotonicTime) {
    locks.set(lock, owner: owner, until: until, at: clock())
  }

  public func isHeld(_ lock: String) -> Bool { locks.holder(of: lock, at: clock()) != nil }
}
