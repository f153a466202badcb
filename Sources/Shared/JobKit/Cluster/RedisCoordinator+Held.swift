import Core
import Redis

/// The locks of this node's jobs, from the take to the end.
extension RedisCoordinator {
  func hold(_ job: TakenJob, for ttl: Duration) {
    held[job.slot] = (job, loop.now + ttl / 3)
  }

  public func finish(_ job: TakenJob, hold: Duration?, _ done: @escaping () -> Void) {
    let job = underItsKey(job)
    held[job.slot] = nil
    #if MUTANTS
      if Mutant.active == .releaseForgotten, hold == nil { return done() }
    #endif
    let until = hold.map { loop.now + $0 }
    // What is there now is another service's.
    guard twin == nil else {
      unfinished.append((job, until))
      return done()
    }
    ending[job.slot, default: 0] += 1
    holds[job.lock] = until.map { (job.owner, $0) }
    commands.finish(job, hold: hold.flatMap { $0 > .zero ? $0 : nil }) { [weak self] result in
      defer { done() }
      self?.ended(job.slot)
      switch result {
      case .success: self?.complain(.end, of: nil)
      // Nothing is known of it, or it was refused: done again when the server is back, or the mark is. Doing it twice does no harm.
      case .failure(let error) where error.isOutage || error.isStale: self?.unfinished.append((job, until))
      case .failure(let error): self?.complain(.end, of: error)
      }
    }
  }

  public func putBack(_ job: TakenJob) {
    held[job.slot] = nil
    // Of a twin's neither.
    guard twin == nil else { return }
    // On an outage its note in the in-flight hash brings it back.
    ending[job.slot, default: 0] += 1
    commands.putBack(underItsKey(job)) { [weak self] _ in self?.ended(job.slot) }
  }

  /// Its note may never have reached the server: with plain commands it is a command of its own, and its sender is dead. So the next
  /// reconciliation treats the job as it treats one that was noted.
  public func putBackUnstarted(_ job: TakenJob) {
    unstarted[job.slot] = underItsKey(job)
    if reconciled { reconcile() }
  }

  /// The server has what was told about this slot's job.
  func ended(_ slot: Int) {
    let left = (ending[slot] ?? 1) - 1
    ending[slot] = left > 0 ? left : nil
  }

  public func adopt(_ job: TakenJob) {
    held[job.slot] = (underItsKey(job), loop.now)
  }

  /// A job of this node that runs under this lock.
  func running(under lock: String, otherThan slot: Int) -> TakenJob? {
    held.filter { $0.value.job.lock == lock && $0.key != slot }.min { $0.key < $1.key }?.value.job
  }

  /// Jobs that hold a lock, by slot: an order that does not differ from run to run. `matches` is given the time of the next renewal.
  func jobsHeld(_ matches: (MonotonicTime) -> Bool) -> [TakenJob] {
    held.filter { matches($0.value.renewAt) }.sorted { $0.key < $1.key }.map(\.value.job)
  }

  /// The predecessor that started the job may have run without Redis, where locks have no prefix.
  private func underItsKey(_ job: TakenJob) -> TakenJob {
    var job = job
    if !job.lock.hasPrefix(lockPrefix) { job.lock = lockPrefix + job.lock }
    return job
  }

  public func restore(lock: String, owner: String, until: MonotonicTime) {
    holds[lockPrefix + lock] = (owner, until)
  }

  /// The server is asked in the same step that enqueues.
  public func isHeld(_ lock: String) -> Bool { false }

  /// A lock that belongs to no queue, for a job of this node. One that the same owner left behind is taken over. From then on it is
  /// renewed until `finish`. nil = it can't be asked for now.
  func acquire(_ job: TakenJob, _ answer: @escaping (Acquisition?) -> Void) {
    guard link.isUp, reconciled else { return answer(nil) }
    let ttl = self.ttl()
    commands.acquire(job.lock, owner: job.owner, ttl: ttl) { [weak self] result in
      guard let self else { return }
      switch result {
      case .success(.ours):
        hold(job, for: ttl)
        answer(.ours)
      case .success(let other): answer(other)
      case .failure: answer(nil)
      }
    }
  }

  func renew(_ jobs: [TakenJob]) {
    #if MUTANTS
      if Mutant.active == .renewalForgotten { return }
    #endif
    guard !jobs.isEmpty else { return }
    let ttl = LockLifetime.ofRunningJob(contract: self.ttl())
    commands.renew(jobs, ttl: ttl) { [weak self] result in
      guard let self, case .success(let states) = result else { return }
      for case (let job, .held(let other)) in zip(jobs, states) {
        log.warning("the lock \(job.lock) of a running job is held by \(other); the job goes on")
      }
    }
    for job in jobs where held[job.slot]?.job == job { held[job.slot] = (job, loop.now + ttl / 3) }
  }
}
