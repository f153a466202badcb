import Core
import Logging
import Redis

/// Queue and locks in Redis, shared by the nodes of a cluster, Python ones among them.
public final class RedisCoordinator: Coordinator {
  /// Locks of running jobs live at least this long between renewals.
  private static let shortestHold = Duration.seconds(60)
  /// Members of one enqueue script: the server answers nobody else while it runs, some 2 ms for this many.
  private static let chunk = 500
  /// With invalidations there is no need to look; now and then it costs nothing, should one have been lost.
  private static let lookAnyway = Duration.seconds(30)

  public var onWake: (() -> Void)?
  public private(set) var depth = 0
  private var oldestScore: Double?

  let link: any ClusterLink
  let commands: ClusterCommands
  private let ttl: () -> Duration
  let names: ClusterNames
  let lockPrefix: String
  private let leaderName: String
  private let log: Logger
  private let masterTtl: () -> Duration
  private let groups: () -> [Int]
  private var mastership = MastershipPolicy()
  private var claiming = false
  /// Jobs of this node that have a lock: in slots of the table, by slot.
  private var held: [Int: (job: TakenJob, renewAt: MonotonicTime)] = [:]
  /// Ends that the server has not taken yet.
  private var unfinished: [(job: TakenJob, hold: MonotonicTime?)] = []
  /// Cool-downs from the job table; only set anew when the server has lost them.
  private var restored: [(lock: String, owner: String, until: MonotonicTime)] = []
  private(set) var reconciled = false
  private var reconciling = false
  /// The server holds the key that shows that it has not forgotten everything.
  private var isMarked = false
  private var taking: Set<Int> = []
  private var lookAt = MonotonicTime(nanoseconds: 0)
  /// Queues whose next change the server will tell.
  private var tracked: Set<String> = []

  public struct Node {
    public var link: any ClusterLink
    public var names: ClusterNames
    public var leaderName: String
    public var lockPrefix: String
    public var usesGroupLocks: Bool
    public var masterTtl: () -> Duration
    public var groups: () -> [Int]

    public init(
      link: any ClusterLink, names: ClusterNames, leaderName: String, lockPrefix: String, usesGroupLocks: Bool,
      masterTtl: @escaping () -> Duration, groups: @escaping () -> [Int]
    ) {
      self.link = link
      self.names = names
      self.leaderName = leaderName
      self.lockPrefix = lockPrefix
      self.usesGroupLocks = usesGroupLocks
      self.masterTtl = masterTtl
      self.groups = groups
    }
  }

  /// `ttl`: how long a lock lives that nobody renews.
  public init(_ node: Node, log: Logger, ttl: @escaping () -> Duration) {
    link = node.link
    leaderName = node.leaderName
    lockPrefix = node.names.lock("")
    masterTtl = node.masterTtl
    groups = node.groups
    names = node.names
    self.ttl = ttl
    self.log = log
    commands = ClusterCommands(
      link: node.link, names: node.names, lockPrefix: node.names.lock(node.lockPrefix), usesGroupLocks: node.usesGroupLocks)
  }

  public var leads: Bool { link.isUp && reconciled && mastership.leads(at: Self.instant(), ttl: masterTtl()) }
  public var isAway: Bool { !link.isUp }
  public var needsPolling: Bool { !isTold || MonotonicTime.now >= lookAt }

  private var isTold: Bool { link.isTracking && groups().allSatisfy { tracked.contains(names.queue($0)) } }

  /// For reports; to a second, as scores are wall clock times.
  public var oldest: MonotonicTime? {
    oldestScore.flatMap { $0 > 1e6 ? .now - (WallClock.now - Duration(seconds: $0)) : nil }
  }

  // MARK: Coming and going of the server

  /// To be called when the link came up or went down.
  public func linkChanged(up: Bool) {
    reconciled = false
    reconciling = false
    isMarked = false
    tracked = []
    mastership.lost()
    claiming = false
    guard up else { return }
    reconcile()
  }

  /// First the locks of running jobs, then what ended meanwhile, then what was taken but never reached the job table; then work.
  private func reconcile() {
    guard !reconciling else { return }
    reconciling = true
    renew(Array(held.values.map(\.job)))
    let now = MonotonicTime.now
    let ends = unfinished
    unfinished = []
    for end in ends { finish(end.job, hold: end.hold.map { $0 - now }) }
    for group in groups() {
      commands.deleteForeign(names.queue(group)) { [log] kind in log.warning("deleted \(kind) in the place of a queue") }
    }
    link.send(["EXISTS", ClusterNames.memory]) { [weak self] result in
      guard let self, case .success(.integer(0)) = result else { return }
      // It was flushed, or restarted without its data: the other nodes have lost the locks of their running jobs too.
      isMarked = false
      mastership.foundEmptyServer(at: Self.instant())
    }
    commands.inFlight { [weak self] result in
      guard let self else { return }
      guard case .success(let notes) = result else {
        reconciling = false
        return
      }
      var lost = 0
      for (slot, job) in notes where held[slot]?.job.owner != job.owner || held[slot]?.job.lock != job.lock {
        guard !taking.contains(slot) else { continue }
        lost += 1
        commands.putBack(job) { _ in }
      }
      if lost > 0 { log.warning("\(lost) jobs that were taken and never started are back in the queue") }
      for cooldown in restored where cooldown.until > now {
        link.send([
          "SET", lockPrefix + cooldown.lock, cooldown.owner, "PX", String((cooldown.until - now).nanoseconds / 1_000_000 + 1), "NX",
        ]) { _ in }
      }
      restored = []
      reconciled = true
      reconciling = false
      if mastership.turn(at: Self.instant()) == .claim { claim() }
      onWake?()
    }
  }

  // MARK: Turning

  public func turn(at now: MonotonicTime) {
    guard link.isUp else { return }
    guard reconciled else { return reconcile() }
    switch mastership.turn(at: Self.instant()) {
    case .claim: claim()
    case .look: look()
    case .abdicate: abdicate {}
    }
    if leads, !isMarked {
      isMarked = true
      link.send(["SET", ClusterNames.memory, leaderName]) { _ in }
    }
    let due = held.values.filter { $0.renewAt <= now }.map(\.job)
    if !due.isEmpty { renew(due) }
  }

  /// An unfit node gives way to fitter ones.
  public func change(mayLead: Bool) {
    mastership.change(isFit: mayLead, jitter: .milliseconds(Int.random(in: 0...3000)))
    turn(at: .now)
  }

  /// Answers come in order: when the last one is here, the server has everything that was said before. A second question, since plain
  /// commands look first and then delete.
  public func retire(_ done: @escaping () -> Void) {
    let led = leads
    mastership.retire()
    guard link.isUp else { return done() }
    if led { abdicate {} }
    link.send(["PING"]) { [link] _ in link.send(["PING"]) { _ in done() } }
  }

  private func claim() {
    guard !claiming else { return }
    claiming = true
    let asked = Self.instant()
    let led = leads
    commands.own(ClusterNames.masterLock, owner: leaderName, ttl: masterTtl()) { [weak self] result in
      guard let self else { return }
      claiming = false
      switch result {
      // The lock's lifetime counts from before the question, so we never believe in it for longer than the server does.
      case .success(.integer(1)):
        mastership.claimed(asked: asked)
        if case .abdicate = mastership.turn(at: Self.instant()) { return abdicate {} }
      case .success(let reply): mastership.refused(by: reply.text ?? "nobody")
      case .failure: return
      }
      if leads != led {
        log.info(leads ? "this node dispatches for the cluster" : "another node dispatches for the cluster")
        onWake?()
      }
    }
  }

  private func look() {
    link.send(["GET", ClusterNames.masterLock]) { [weak self] result in
      if case .success(let reply) = result { self?.mastership.saw(owner: reply.text, at: Self.instant()) }
    }
  }

  private func abdicate(_ done: @escaping () -> Void) {
    mastership.abdicated()
    commands.abdicate(owner: leaderName) { _ in done() }
  }

  // MARK: Queue

  public func enqueue(_ items: [QueueItem], respectingLocks: Bool, tick: TickRun?, _ done: @escaping (EnqueueResult) -> Void) {
    enqueue(items[...], respectingLocks: respectingLocks, tick: tick, done)
  }

  /// A chunk after the other: the server gets to others in between, and nothing more is sent on a lost lock.
  private func enqueue(
    _ rest: ArraySlice<QueueItem>, respectingLocks: Bool, tick: TickRun?, _ done: @escaping (EnqueueResult) -> Void
  ) {
    guard !rest.isEmpty || tick != nil else { return done(.done) }
    let part = Array(rest.prefix(Self.chunk))
    commands.enqueue(part, respectingLocks: respectingLocks, leader: leaderName, tick: tick) { [weak self] result in
      guard let self else { return }
      switch result {
      case .success(.integer(-1)):
        mastership.refused(by: "another node")
        log.info("another node dispatches for the cluster")
        done(.refused)
      case .success(.integer(-2)): done(.alreadyTicked)
      case .success(let reply):
        if (reply.integer ?? 0) > 0 { onWake?() }
        enqueue(rest.dropFirst(Self.chunk), respectingLocks: respectingLocks, tick: nil, done)
      case .failure: done(.refused)
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
      // 1 = it is new in the queue.
      answer(result.map { $0.integer == 0 }.mapError { CoordinatorFailure($0.text) })
      self?.onWake?()
    }
  }

  public func take(_ owner: SlotOwner, _ answer: @escaping (TakeResult) -> Void) {
    guard link.isUp, reconciled else { return answer(.unavailable) }
    let ttl = self.ttl()
    taking.insert(owner.slot)
    commands.take(owner, groups: groups(), ttl: ttl) { [weak self] result in
      guard let self else { return }
      taking.remove(owner.slot)
      switch result {
      case .job(let job, let waiting, let oldest):
        depth = waiting
        oldestScore = oldest
        hold(job, for: ttl)
        answer(.job(job))
      case .empty(let waiting, let oldest):
        depth = waiting
        oldestScore = oldest
        lookAt = .now + Self.lookAnyway
        track()
        answer(.empty)
      case .failed(let error):
        if !error.isOutage { log.error("can't take work from Redis: \(error)") }
        answer(.unavailable)
      }
    }
  }

  // MARK: Being told

  /// Asks to be told of the next change of each queue that is not watched yet. A queue that has something by now wakes at once.
  private func track() {
    guard link.isTracking else { return }
    for group in groups() {
      let key = names.queue(group)
      guard tracked.insert(key).inserted else { continue }
      link.track(key) { [weak self] result in
        switch result {
        case .success(let waiting): if waiting > 0 { self?.told([key]) }
        case .failure: self?.tracked.remove(key)
        }
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
    onWake?()
  }

  // MARK: Locks

  private func hold(_ job: TakenJob, for ttl: Duration) {
    held[job.slot] = (job, .now + ttl / 3)
  }

  public func finish(_ job: TakenJob, hold: Duration?) {
    held[job.slot] = nil
    let until = hold.map { MonotonicTime.now + $0 }
    commands.finish(job, hold: hold.flatMap { $0 > .zero ? $0 : nil }) { [weak self] result in
      // Nothing is known of it: done again when the server is back. Doing it twice does no harm.
      if case .failure(let error) = result, error.isOutage { self?.unfinished.append((job, until)) }
    }
  }

  public func putBack(_ job: TakenJob) {
    held[job.slot] = nil
    // On an outage its note in the in-flight hash brings it back.
    commands.putBack(job) { _ in }
  }

  public func adopt(_ job: TakenJob) {
    var job = job
    // The predecessor may have run without Redis.
    if !job.lock.hasPrefix(lockPrefix) { job.lock = lockPrefix + job.lock }
    held[job.slot] = (job, .now)
  }

  public func restore(lock: String, owner: String, until: MonotonicTime) {
    restored.append((lock, owner, until))
  }

  /// The server is asked in the same step that enqueues.
  public func isHeld(_ lock: String) -> Bool { false }

  /// Who has a lock of the cluster that was asked for.
  enum Acquisition: Equatable {
    case ours
    case held(by: String)
    case unavailable
  }

  /// A lock that belongs to no queue, for a job of this node. One that the same owner left behind is taken over. From then on it is
  /// renewed until `finish`.
  func acquire(_ job: TakenJob, _ answer: @escaping (Acquisition) -> Void) {
    guard link.isUp, reconciled else { return answer(.unavailable) }
    let ttl = self.ttl()
    commands.own(job.lock, owner: job.owner, ttl: ttl) { [weak self] result in
      guard let self else { return }
      switch result {
      case .success(.integer(1)):
        hold(job, for: ttl)
        answer(.ours)
      case .success(let reply): answer(.held(by: reply.text ?? "another node"))
      case .failure: answer(.unavailable)
      }
    }
  }

  private func renew(_ jobs: [TakenJob]) {
    guard !jobs.isEmpty else { return }
    let ttl = max(self.ttl(), Self.shortestHold)
    commands.renew(jobs, ttl: ttl) { [weak self] result in
      guard let self, case .success(let reply) = result else { return }
      for (job, state) in zip(jobs, reply.elements ?? []) where state.integer != 1 {
        log.warning("the lock \(job.lock) of a running job is held by \(state.text ?? "another"); the job goes on")
      }
    }
    for job in jobs where held[job.slot]?.job == job { held[job.slot] = (job, .now + ttl / 3) }
  }

  private static func instant() -> Duration { .nanoseconds(MonotonicTime.now.nanoseconds) }
}
