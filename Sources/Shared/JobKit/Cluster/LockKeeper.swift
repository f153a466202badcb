import Core
import Redis

/// The locks of this node's jobs, from the take to the end, and its cool-downs: carries out what `SlotLedger` decides.
final class LockKeeper {
  /// Between two lines about locks that vanish: under eviction there are many.
  private static let lostLockPause = Duration.seconds(600)

  private let commands: ClusterClient
  private let reports: ClusterReports
  private let mark: MarkKeeper
  /// How long a lock lives that nobody renews.
  private let ttl: () -> Duration
  /// A member whose lock is held stays queued.
  private let keepsTicks: Bool
  private var ledger = SlotLedger()
  /// Cool-downs from the job table and of this node's runs; only set anew when the server has lost them.
  private var holds: [String: (owner: String, until: MonotonicTime)] = [:]
  /// Jobs of the table that never ran and are to be queued again, by slot.
  private var unstarted: [Int: TakenJob] = [:]
  /// How often jobs came back: a connection that comes and goes must not say it each time.
  private var returns = RepeatPolicy()
  private var lostLockSaidAt: MonotonicTime?
  private var context: ClusterContext { commands.context }

  init(_ commands: ClusterClient, _ reports: ClusterReports, _ mark: MarkKeeper, ttl: @escaping () -> Duration, keepsTicks: Bool) {
    self.commands = commands
    self.reports = reports
    self.mark = mark
    self.ttl = ttl
    self.keepsTicks = keepsTicks
  }

  // MARK: Taking

  var takesUnderWay: Int { ledger.takesUnderWay }

  /// At once as long as a running job's lock is to live: a node that is frozen right after the take can't renew it.
  var lifetime: Duration { LockLifetime.ofRunningJob(contract: ttl()) }

  func takeBegins(_ slot: Int) { ledger.takeBegins(slot) }

  func takeFailed(_ slot: Int) { ledger.takeFailed(slot) }

  /// Whether the job is to start. If it runs in another slot its lock was gone (evicted, deleted), so its device was queued again and came to us:
  /// the lock is the running job's again, and the slot gets something else. Where another node takes it first nothing can be done.
  func mayStart(_ job: TakenJob, lifetime: Duration) -> Bool {
    let renewAt = context.loop.now + lifetime / 3
    #if MUTANTS
      if Mutant.active == .duplicateStarted {
        ledger.acquired(job, renewAt: renewAt)
        return true
      }
    #endif
    guard case .giveBack(let running) = ledger.takeFound(job, renewAt: renewAt) else { return true }
    commands.lockAgain(running, insteadOf: job, ttl: lifetime, keepsMember: keepsTicks) { [weak self] _ in
      self?.ledger.endAnswered(job.slot, owing: nil)
    }
    let now = context.loop.now
    if lostLockSaidAt.map({ now - $0 > Self.lostLockPause }) ?? true {
      lostLockSaidAt = now
      context.log.warning(
        """
        \(running.lock) of a running job was gone from Redis and is set again; other nodes may have begun its device a second time. Does the \
        server evict keys (maxmemory-policy), or did somebody delete it?
        """)
    }
    return false
  }

  /// A lock that belongs to no queue, for a job of this node. One that the same owner left behind is taken over. From then on it is
  /// renewed until `finish`. nil = it can't be asked for now.
  func acquire(_ job: TakenJob, _ answer: @escaping (Acquisition?) -> Void) {
    let ttl = self.ttl()
    ledger.takeBegins(job.slot)
    commands.acquire(job.lock, owner: job.owner, ttl: ttl) { [weak self] result in
      guard let self else { return }
      switch result {
      case .success(.ours):
        ledger.acquired(job, renewAt: context.loop.now + ttl / 3)
        answer(.ours)
      case .success(let other):
        ledger.takeFailed(job.slot)
        answer(other)
      case .failure:
        ledger.takeFailed(job.slot)
        answer(nil)
      }
    }
  }

  // MARK: Holding

  func adopt(_ job: TakenJob) { ledger.adopted(underItsKey(job), at: context.loop.now) }

  func restore(lock: String, owner: String, until: MonotonicTime) {
    holds[context.names.lock(lock)] = (owner, until)
  }

  /// The predecessor that started the job may have run without Redis, where locks have no prefix.
  private func underItsKey(_ job: TakenJob) -> TakenJob {
    let prefix = context.names.lock("")
    var job = job
    if !job.lock.hasPrefix(prefix) { job.lock = prefix + job.lock }
    return job
  }

  /// The locks whose renewal is due.
  func renew(at now: MonotonicTime) { renew(ledger.due(at: now)) }

  /// Those of all running jobs: the server may have lost them.
  func renewAll() { renew(ledger.held) }

  private func renew(_ jobs: [TakenJob]) {
    #if MUTANTS
      if Mutant.active == .renewalForgotten { return }
    #endif
    guard !jobs.isEmpty else { return }
    let lifetime = self.lifetime
    commands.renew(jobs, ttl: lifetime) { [weak self] result in
      guard let self, case .success(let states) = result else { return }
      for case (let job, .held(let other)) in zip(jobs, states) {
        context.log.warning("the lock \(job.lock) of a running job is held by \(other); the job goes on")
      }
    }
    ledger.renewed(jobs, renewAt: context.loop.now + lifetime / 3)
  }

  // MARK: Ending

  func finish(_ job: TakenJob, hold: Duration?, _ done: @escaping () -> Void) {
    let end = SlotLedger.End(job: underItsKey(job), until: hold.map { context.loop.now + $0 })
    switch ledger.end(end.job, owing: end, canSend: !mark.isTaken) {
    case .owe: done()
    case .send:
      #if MUTANTS
        if Mutant.active == .releaseForgotten, hold == nil {
          ledger.endAnswered(end.job.slot, owing: nil)
          return done()
        }
      #endif
      send(end, hold: hold, done)
    }
  }

  private func send(_ end: SlotLedger.End, hold: Duration?, _ done: @escaping () -> Void) {
    holds[end.job.lock] = end.until.map { (end.job.owner, $0) }
    commands.finish(end.job, hold: hold.flatMap { $0 > .zero ? $0 : nil }) { [weak self] result in
      defer { done() }
      guard let self else { return }
      switch result {
      case .success:
        ledger.endAnswered(end.job.slot, owing: nil)
        reports.result(of: .end, nil)
      // Nothing is known of it, or it was refused: done again when the server is back, or the mark is. Doing it twice does no harm.
      case .failure(let error) where error.isOutage || error.isStale: ledger.endAnswered(end.job.slot, owing: end)
      case .failure(let error):
        ledger.endAnswered(end.job.slot, owing: nil)
        reports.result(of: .end, error)
      }
    }
  }

  /// On an outage the job's note in the in-flight hash brings it back.
  func putBack(_ job: TakenJob) {
    guard ledger.end(job, owing: nil, canSend: !mark.isTaken) == .send else { return }
    commands.putBack(underItsKey(job)) { [weak self] _ in self?.ledger.endAnswered(job.slot, owing: nil) }
  }

  /// Its note may never have reached the server: with plain commands it is a command of its own, and its sender is dead. So the next
  /// reconciliation treats the job as it treats one that was noted.
  func putBackUnstarted(_ job: TakenJob) { unstarted[job.slot] = underItsKey(job) }

  // MARK: Reconciling

  /// The ends that the server has missed.
  func sendOwed() {
    let now = context.loop.now
    for end in ledger.sendOwed() { send(end, hold: end.until.map { $0 - now }) {} }
  }

  /// What was taken and never reached the job table, or never ran, goes back to its queue.
  func settle(_ notes: [Int: TakenJob]) {
    var lost = 0
    // Those of the table are as good as what is noted, and newer.
    let missing = notes.merging(unstarted) { $1 }
    unstarted = [:]
    for (_, job) in missing.sorted(by: { $0.key < $1.key }) where ledger.noteFound(job) == .putBack {
      #if MUTANTS
        if Mutant.active == .noteForgotten { continue }
      #endif
      lost += 1
      commands.putBack(job) { _ in }
    }
    guard lost > 0, let times = returns.happened(at: context.instant) else { return }
    let often = times > 1 ? " (and \(times - 1) times since the last such line)" : ""
    context.log.warning("\(lost) jobs that were taken and never started are back in the queue\(often)")
  }

  /// Sets the cool-downs that the server does not have.
  func setHolds() {
    let now = context.loop.now
    holds = holds.filter { $0.value.until > now }
    for (lock, hold) in holds.sorted(by: { $0.key < $1.key }) {
      context.link.send(["SET", lock, hold.owner, "PX", String((hold.until - now).nanoseconds / 1_000_000 + 1), "NX"]) { _ in }
    }
  }
}
