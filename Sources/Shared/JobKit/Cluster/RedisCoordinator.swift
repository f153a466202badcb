import Core
import Logging
import Redis

/// Queue and locks in Redis, shared by the nodes of a cluster, Python ones among them.
public final class RedisCoordinator: Coordinator {
  /// Locks of running jobs live at least this long without a renewal: a machine that is paused for half a minute keeps its devices.
  static let shortestHold = Duration.seconds(60)

  public var onWake: (() -> Void)?

  let link: any ClusterLink
  let commands: ClusterCommands
  let ttl: () -> Duration
  let names: ClusterNames
  let lockPrefix: String
  let log: Logger
  let schedule: (Duration, @escaping () -> Void) -> Void
  let groups: () -> [Int]
  /// A member whose lock is held stays queued.
  let keepsTicks: Bool
  private let masterTtl: () -> Duration
  private let leaderName: () -> String
  /// The owner of `dispatch.master` when this node leads.
  private(set) var leader: String
  private var mastership = MastershipPolicy()
  private var claiming = false
  /// Jobs of this node that have a lock: in slots of the table, by slot.
  private var held: [Int: (job: TakenJob, renewAt: MonotonicTime)] = [:]
  /// How many ends of a slot's jobs are on their way to the server: until it has answered, a note that it shows says nothing.
  private var ending: [Int: Int] = [:]
  /// Ends that the server has not taken yet.
  private var unfinished: [(job: TakenJob, hold: MonotonicTime?)] = []
  /// Cool-downs from the job table; only set anew when the server has lost them.
  private var holds: [String: (owner: String, until: MonotonicTime)] = [:]
  private(set) var reconciled = false
  private var reconciling = false
  /// What the server holds under the key that shows that it has not forgotten everything; nil = nothing, or not known.
  private var memory: String?

  /// Errors that were said and last, by what failed.
  private var complaints: [String: String] = [:]

  // Of the queues: `RedisCoordinator+Queue`.
  /// Slots whose take is under way.
  var taking: Set<Int> = []
  var takes = TakePolicy()
  var waiting = DepthPolicy()
  var lookAt = MonotonicTime(nanoseconds: 0)
  /// Queues whose next change the server will tell.
  var tracked: Set<String> = []
  var willAskToBeTold = false

  public struct Node {
    public var link: any ClusterLink
    public var names: ClusterNames
    public var leaderName: () -> String
    public var lockPrefix: String
    public var usesGroupLocks: Bool
    public var keepsTicks: Bool
    public var masterTtl: () -> Duration
    public var groups: () -> [Int]
    /// Does something after a time, on the loop.
    public var schedule: (Duration, @escaping () -> Void) -> Void

    public init(
      link: any ClusterLink, names: ClusterNames, leaderName: @escaping () -> String, lockPrefix: String, usesGroupLocks: Bool,
      keepsTicks: Bool = false, masterTtl: @escaping () -> Duration, groups: @escaping () -> [Int],
      schedule: @escaping (Duration, @escaping () -> Void) -> Void
    ) {
      self.link = link
      self.names = names
      self.leaderName = leaderName
      self.lockPrefix = lockPrefix
      self.usesGroupLocks = usesGroupLocks
      self.keepsTicks = keepsTicks
      self.masterTtl = masterTtl
      self.groups = groups
      self.schedule = schedule
    }
  }

  /// `ttl`: how long a lock lives that nobody renews.
  public init(_ node: Node, log: Logger, ttl: @escaping () -> Duration) {
    link = node.link
    leaderName = node.leaderName
    leader = node.leaderName()
    keepsTicks = node.keepsTicks
    lockPrefix = node.names.lock("")
    masterTtl = node.masterTtl
    groups = node.groups
    schedule = node.schedule
    names = node.names
    self.ttl = ttl
    self.log = log
    commands = ClusterCommands(
      link: node.link, names: node.names, lockPrefix: node.names.lock(node.lockPrefix), usesGroupLocks: node.usesGroupLocks, log: log)
  }

  public var leads: Bool { link.isUp && reconciled && mastership.leads(at: Self.instant(), ttl: masterTtl()) }
  public var isAway: Bool { !link.isUp }
  public var depth: Int { waiting.waiting }

  public var depthIsKnown: Bool { link.isUp && waiting.isKnown(at: Self.instant()) }

  /// For reports; to a second, as scores are wall clock times.
  public var oldest: MonotonicTime? {
    waiting.lowest.flatMap { $0 > 1e6 ? .now - (WallClock.now - Duration(seconds: $0)) : nil }
  }

  // MARK: Coming and going of the server

  /// To be called when the link came up or went down.
  public func linkChanged(up: Bool) {
    reconciled = false
    reconciling = false
    memory = nil
    complaints = [:]
    tracked = []
    takes.doubt()
    waiting.lost()
    mastership.lost()
    claiming = false
    guard up else { return }
    reconcile()
  }

  /// First the locks of running jobs, then what ended meanwhile, then what was taken but never reached the job table; then work.
  func reconcile() {
    guard !reconciling else { return }
    reconciling = true
    renew(Array(held.values.map(\.job)))
    let now = MonotonicTime.now
    let ends = unfinished
    unfinished = []
    for end in ends { finish(end.job, hold: end.hold.map { $0 - now }) }
    commands.deleteForeign(groups().map(names.queue))
    link.send(["GET", ClusterNames.memory]) { [weak self] result in
      if case .success(let reply) = result { self?.remember(reply.text) }
    }
    commands.inFlight { [weak self] result in
      guard let self else { return }
      guard case .success(let notes) = result else {
        reconciling = false
        return
      }
      var lost = 0
      for (slot, job) in notes where held[slot]?.job.owner != job.owner || held[slot]?.job.lock != job.lock {
        guard !taking.contains(slot), ending[slot] == nil else { continue }
        lost += 1
        commands.putBack(job) { _ in }
      }
      if lost > 0 { log.warning("\(lost) jobs that were taken and never started are back in the queue") }
      holds = holds.filter { $0.value.until > now }
      for (lock, cooldown) in holds {
        link.send([
          "SET", lock, cooldown.owner, "PX", String((cooldown.until - now).nanoseconds / 1_000_000 + 1), "NX",
        ]) { _ in }
      }
      reconciled = true
      reconciling = false
      if mastership.turn(at: Self.instant()) == .claim { claim() }
      somethingWaits()
    }
  }

  /// What the server shows of the key that it should never lose.
  private func remember(_ value: String?) {
    memory = value
    guard value == nil else { return }
    // It was flushed, or restarted without its data: the other nodes have lost the locks of their running jobs too.
    mastership.foundEmptyServer(at: Self.instant())
  }

  /// The same, seen in passing each second: a server can lose its data without ending any connection, and only one with tracking tells.
  private func look(at value: String?) {
    let before = memory
    if value != nil || before != nil { remember(value) }
    // Another value is a leader's who has seen the loss before us.
    guard let before, before != value else { return }
    log.warning("Redis has lost queues and locks (flushed?): the locks of running jobs are set again")
    reconcile()
  }

  /// An error that is no outage comes again with every try: said when it begins. nil = it worked.
  func complain(_ what: String, of error: RedisError?) {
    let text = error.flatMap { $0.isOutage ? nil : $0.text }
    guard complaints[what] != text else { return }
    complaints[what] = text
    if let text { log.error("can't \(what): \(text)") }
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
    // Asked again each second until the server shows it.
    if leads, memory == nil {
      // Never twice the same, so that a loss shows even if the key is there again.
      link.send(["SET", ClusterNames.memory, "\(leader) \(WallClock.now.inSeconds)", "NX"]) { _ in }
    }
    if needsPolling { takes.doubt() }
    let due = held.values.filter { $0.renewAt <= now }.map(\.job)
    if !due.isEmpty { renew(due) }
    refreshDepth()
  }

  /// The node's settings have changed: its groups, the lifetime of the master's lock, or its name and so the owner of that lock.
  public func settingsChanged() {
    let old = leader
    leader = leaderName()
    if leader != old {
      mastership.abdicated()
      claiming = false
      // It is still ours under the old name, or may become so by a question that is on its way.
      if link.isUp { commands.abdicate(owner: old) { _ in } }
      turn(at: .now)
    }
    somethingWaits()
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
    let name = leader
    commands.claim(owner: name, ttl: masterTtl()) { [weak self] result in
      guard let self, name == leader else { return }
      claiming = false
      guard case .success(let lead) = result else { return }
      if let owner = lead.owner {
        mastership.refused(by: owner)
      } else {
        // The lock's lifetime counts from before the question, so we never believe in it for longer than the server does.
        mastership.claimed(asked: asked)
        if case .abdicate = mastership.turn(at: Self.instant()) { return abdicate {} }
      }
      look(at: lead.memory)
      if leads != led {
        log.info(leads ? "this node dispatches for the cluster" : "another node dispatches for the cluster")
        onWake?()
      }
    }
  }

  /// The lock was not ours any more when something was to be queued.
  func unseated() {
    mastership.refused(by: "another node")
    log.info("another node dispatches for the cluster")
  }

  private func look() {
    link.send(["MGET", ClusterNames.masterLock, ClusterNames.memory]) { [weak self] result in
      guard case .success(let reply) = result, let values = reply.elements, values.count == 2 else { return }
      self?.mastership.saw(owner: values[0].text, at: Self.instant())
      self?.look(at: values[1].text)
    }
  }

  private func abdicate(_ done: @escaping () -> Void) {
    mastership.abdicated()
    commands.abdicate(owner: leader) { _ in done() }
  }

  // MARK: Locks

  func hold(_ job: TakenJob, for ttl: Duration) {
    held[job.slot] = (job, .now + ttl / 3)
  }

  public func finish(_ job: TakenJob, hold: Duration?) {
    let job = underItsKey(job)
    held[job.slot] = nil
    let until = hold.map { MonotonicTime.now + $0 }
    ending[job.slot, default: 0] += 1
    holds[job.lock] = until.map { (job.owner, $0) }
    commands.finish(job, hold: hold.flatMap { $0 > .zero ? $0 : nil }) { [weak self] result in
      self?.ended(job.slot)
      // Nothing is known of it: done again when the server is back. Doing it twice does no harm.
      if case .failure(let error) = result, error.isOutage { self?.unfinished.append((job, until)) }
    }
  }

  public func putBack(_ job: TakenJob) {
    held[job.slot] = nil
    // On an outage its note in the in-flight hash brings it back.
    ending[job.slot, default: 0] += 1
    commands.putBack(underItsKey(job)) { [weak self] _ in self?.ended(job.slot) }
  }

  private func ended(_ slot: Int) {
    let left = (ending[slot] ?? 1) - 1
    ending[slot] = left > 0 ? left : nil
  }

  public func adopt(_ job: TakenJob) {
    held[job.slot] = (underItsKey(job), .now)
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

  static func instant() -> Duration { .nanoseconds(MonotonicTime.now.nanoseconds) }
}
