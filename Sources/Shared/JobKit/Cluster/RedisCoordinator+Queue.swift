import Core
import Redis

extension RedisCoordinator {
  /// Members of one enqueue script: the server answers nobody else while it runs, some 2 ms for this many.
  private static let chunk = 500
  /// With invalidations there is no need to look; now and then it costs nothing, should one have been lost.
  private static let lookAnyway = Duration.seconds(30)
  /// Between two lines about locks that vanish: under eviction there are many.
  private static let lostLockPause = Duration.seconds(600)

  // MARK: Filling

  public func enqueue(_ items: [QueueItem], respectingLocks: Bool, tick: TickRun?, _ done: @escaping (EnqueueResult) -> Void) {
    enqueue(items[...], respectingLocks: respectingLocks, tick: tick, done)
  }

  /// A chunk after the other: the server gets to others in between, and nothing more is sent on a lost lock.
  private func enqueue(
    _ rest: ArraySlice<QueueItem>, respectingLocks: Bool, tick: TickRun?, _ done: @escaping (EnqueueResult) -> Void
  ) {
    guard !rest.isEmpty || tick != nil else { return done(.done) }
    guard twin == nil else { return done(.refused) }
    let part = Array(rest.prefix(Self.chunk))
    let next = rest.dropFirst(Self.chunk)
    commands.enqueue(part, respectingLocks: respectingLocks, leader: leader, tick: tick, isLast: next.isEmpty) { [weak self] result in
      guard let self else { return }
      switch result {
      case .success(.unseated):
        unseated()
        done(.refused)
      case .success(.alreadyTicked): done(.alreadyTicked)
      case .success(.added(let added)):
        complain(.queue, of: nil)
        // Other groups' work is other nodes'.
        if added > 0, part.contains(where: { groups().contains($0.group) }) { somethingWaits() }
        guard !next.isEmpty else { return done(.done) }
        enqueue(next, respectingLocks: respectingLocks, tick: tick, done)
      case .failure(let error):
        complain(.queue, of: error)
        done(.refused)
      }
    }
  }

  public func lastTick(_ name: String, _ answer: @escaping (TickMemory) -> Void) {
    link.send(["GET", names.tick(name)]) { result in
      switch result {
      case .success(let reply): answer(.shared(reply.integer))
      case .failure: answer(.unavailable)
      }
    }
  }

  public func lift(_ item: QueueItem, _ answer: @escaping (Result<Bool, CoordinatorFailure>) -> Void) {
    commands.lift(item) { [weak self] result in
      answer(result.mapError { CoordinatorFailure($0.text) })
      self?.somethingWaits()
    }
  }

  // MARK: Taking

  public var worthwhileTakes: Int { link.isUp && reconciled ? takes.worthwhile(underWay: taking.count) : 1 }

  public func take(_ owner: SlotOwner, _ answer: @escaping (TakeResult) -> Void) {
    guard link.isUp, reconciled else { return answer(.unavailable) }
    guard believesInMark else {
      foundStale()
      return answer(.unavailable)
    }
    if takes.isDry {
      askToBeTold()
      return answer(.empty)
    }
    // At once as long as a running job's lock is to live: a node that is frozen right after this can't renew it.
    let ttl = LockLifetime.ofRunningJob(contract: self.ttl())
    taking.insert(owner.slot)
    let answered = { [weak self] (result: Result<Take, RedisError>) in
      guard let self else { return }
      taking.remove(owner.slot)
      switch result {
      case .success(.job(let job, let left, let oldest)):
        heard(left, oldest)
        #if MUTANTS
          if Mutant.active == .duplicateStarted {
            hold(job, for: ttl)
            return answer(.job(job))
          }
        #endif
        if let running = running(under: job.lock, otherThan: job.slot) { return ranAlready(running, job, owner, ttl, answer) }
        hold(job, for: ttl)
        answer(.job(job))
      case .success(.empty(let left, let oldest)):
        heard(left, oldest)
        answer(.empty)
        // What is left of ticks is held up by locks: asking at once would find the same again and again.
        if takes.isDry || keepsTicks { askToBeTold() } else { onWake?() }
      case .failure(let error):
        complain(.take, of: error)
        answer(.unavailable)
      }
    }
    if keepsTicks, let group = groups().first {
      commands.takeTick(owner, group: group, ttl: ttl, answered)
    } else {
      commands.take(owner, groups: groups(), ttl: ttl, answered)
    }
  }

  /// The lock of a running job was gone (evicted, deleted), so its device was queued again and came to us: it is the running job's again, and
  /// the slot gets something else. Where another node takes it first nothing can be done.
  private func ranAlready(
    _ running: TakenJob, _ duplicate: TakenJob, _ owner: SlotOwner, _ ttl: Duration, _ answer: @escaping (TakeResult) -> Void
  ) {
    // A reconciliation that has read the duplicate's note must not take it for a lost job.
    ending[duplicate.slot, default: 0] += 1
    commands.lockAgain(running, insteadOf: duplicate, ttl: ttl, keepsMember: keepsTicks) { [weak self] _ in self?.ended(duplicate.slot) }
    let now = loop.now
    if lostLockSaidAt.map({ now - $0 > Self.lostLockPause }) ?? true {
      lostLockSaidAt = now
      log.warning(
        """
        \(running.lock) of a running job was gone from Redis and is set again; other nodes may have begun its device a second time. Does the \
        server evict keys (maxmemory-policy), or did somebody delete it?
        """)
    }
    if keepsTicks { answer(.empty) } else { take(owner, answer) }
  }

  public func presence(of item: QueueItem, _ answer: @escaping (Presence) -> Void) { commands.presence(of: item, answer) }

  /// What a take's answer says of the queues.
  private func heard(_ left: Int?, _ oldest: Double?) {
    complain(.take, of: nil)
    takes.answered(waiting: left)
    lookAt = loop.now + Self.lookAnyway
    if let left { waiting.said(waiting: left, lowest: oldest, at: instant) }
  }

  func somethingWaits() {
    takes.doubt()
    onWake?()
  }

  /// Also a child without slots, which never takes, has to know what waits: its node reports it.
  func refreshDepth() {
    guard waiting.shouldAsk(at: instant) else { return }
    commands.waiting(groups()) { [weak self] result in
      if let self, case .success(let found) = result { waiting.said(waiting: found.members, lowest: found.lowest, at: instant) }
    }
  }

  // MARK: Being told

  /// Nothing tells when the lock of a tick that waits is free; the node that holds it looks at once when it ends, the others each second.
  public var needsPolling: Bool { !isTold || loop.now >= lookAt || isHeldUp }

  private var isHeldUp: Bool { keepsTicks && takes.isHeldUp }

  private var isTold: Bool { link.isTracking && queues.allSatisfy { tracked.contains($0) } }

  /// Queues whose next change the server would not tell.
  private var untold: [String] { queues.filter { !tracked.contains($0) } }

  /// A free slot has nothing to do: the server is asked to tell of the next change of each queue that is not watched yet, but not more often
  /// than it is worth. A queue that has something by now wakes at once.
  private func askToBeTold() {
    guard link.isTracking, !isTold, !willAskToBeTold else { return }
    let pause = takes.pauseBeforeTracking(at: instant)
    guard pause == .zero else {
      willAskToBeTold = true
      return _ = loop.schedule(after: pause) { [weak self] in
        guard let self else { return }
        willAskToBeTold = false
        if link.isUp, reconciled, takes.isDry || isHeldUp { askToBeTold() }
      }
    }
    let keys = untold
    tracked.formUnion(keys)
    link.track(keys) { [weak self] result in
      switch result {
      case .success(let existing): if existing > 0, self?.isHeldUp == false { self?.told(keys) }
      case .failure: self?.tracked.subtract(keys)
      }
    }
  }

  /// These keys have changed, or any may have (nil).
  func told(_ keys: [String]?) {
    if let keys {
      tracked.subtract(keys)
    } else {
      tracked = []
      // FLUSHALL says the same as a lost message. It has deleted the locks of running jobs, and no connection ends with it.
      if link.isUp, reconciled { reconcile() }
    }
    somethingWaits()
  }
}
