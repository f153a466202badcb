import Core
import Logging
import Redis

/// Queue and locks in Redis, shared by the nodes of a cluster, Python ones among them.
///
/// This class knows the order of things: when the connection comes and goes, what is asked before work begins (`reconcile`), what is done
/// each second (`turn`), how the node leaves. `JoinMachine` has its state. What is done belongs to units with a state of their own:
///
/// | unit              | owns                                                      | decides by                   |
/// |-------------------|-----------------------------------------------------------|------------------------------|
/// | `ClusterClient`   | the connection's commands, with scripts or plain          | what the connection allows   |
/// | `MarkKeeper`      | the mark of the node's name, a twin                       | its `State`                  |
/// | `LeadKeeper`      | the master lock                                           | `LeadMachine`                |
/// | `LockKeeper`      | locks of this node's jobs, ends, cool-downs               | `SlotLedger`                 |
/// | `QueueTaker`      | takes, depth, and `QueueWatch`: which changes are told    | `TakePolicy`, `DepthPolicy`  |
/// | `QueueFiller`     | nothing                                                   |                              |
/// | `LockInspector`   | nothing                                                   |                              |
/// | `CanaryKey`       | the value that shows a loss of data                       | itself                       |
/// | `ClusterReports`  | which errors last                                         |                              |
///
/// Units tell this class by three calls: `onStale` (a write was refused because of the mark), `onCanary` and `onChange` of the lead.
public final class RedisCoordinator: Coordinator {
  public var onWake: (() -> Void)?

  let commands: ClusterClient
  private let reports: ClusterReports
  private let mark: MarkKeeper
  private let lead: LeadKeeper
  private let locks: LockKeeper
  private let taker: QueueTaker
  private let filler: QueueFiller
  private let inspector: LockInspector
  private let groups: () -> [Int]
  private var join = JoinMachine()
  private var canary = CanaryKey()

  public struct Node {
    public var link: any ClusterLink
    public var names: ClusterNames
    public var leaderName: () -> String
    public var lockPrefix: String
    public var usesGroupLocks: Bool
    public var keepsTicks: Bool
    public var masterTtl: () -> Duration
    public var groups: () -> [Int]
    /// Of the job table: tells this child's successors from those of a clone.
    public var table: UInt64
    public var markLifetime: Duration
    public var speaksForNode: Bool
    /// Its clocks, timers and dice.
    public var loop: EventLoop

    public init(
      link: any ClusterLink, names: ClusterNames, leaderName: @escaping () -> String, lockPrefix: String, usesGroupLocks: Bool,
      keepsTicks: Bool = false, masterTtl: @escaping () -> Duration, groups: @escaping () -> [Int], table: UInt64,
      markLifetime: Duration? = nil, speaksForNode: Bool = true, loop: EventLoop
    ) {
      self.link = link
      self.names = names
      self.leaderName = leaderName
      self.lockPrefix = lockPrefix
      self.usesGroupLocks = usesGroupLocks
      self.keepsTicks = keepsTicks
      self.masterTtl = masterTtl
      self.groups = groups
      self.table = table
      self.markLifetime = markLifetime ?? MarkLifetime.standard
      self.speaksForNode = speaksForNode
      self.loop = loop
    }
  }

  /// `ttl`: how long a lock lives that nobody renews.
  public init(_ node: Node, log: Logger, ttl: @escaping () -> Duration) {
    let context = ClusterContext(
      link: node.link, names: node.names, loop: node.loop, lockPrefix: node.names.lock(node.lockPrefix),
      usesGroupLocks: node.usesGroupLocks, log: log)
    #if MUTANTS
      let keepsTicks = node.keepsTicks && Mutant.active != .waitingTickDropped
    #else
      let keepsTicks = node.keepsTicks
    #endif
    groups = node.groups
    commands = ClusterClient(context, table: node.table)
    reports = ClusterReports(log: log, speaksForNode: node.speaksForNode)
    mark = MarkKeeper(commands, reports, lifetime: MarkLifetime(whole: node.markLifetime))
    lead = LeadKeeper(commands, reports, mark, name: node.leaderName, ttl: node.masterTtl)
    locks = LockKeeper(commands, reports, mark, ttl: ttl, keepsTicks: keepsTicks)
    taker = QueueTaker(commands, reports, mark, locks, groups: node.groups, keepsTicks: keepsTicks)
    filler = QueueFiller(commands, reports, mark, lead, taker, groups: node.groups)
    inspector = LockInspector(commands, fault: { [reports, mark] in mark.isTaken ? MarkKeeper.twinWords : reports.fault })
    commands.onStale = { [weak self] in self?.foundStale() }
    lead.onChange = { [weak self] in self?.onWake?() }
    lead.onCanary = { [weak self] in self?.look(at: $0) }
    taker.onWake = { [weak self] in self?.onWake?() }
    taker.isOpen = { [weak self] in self?.isWorking ?? false }
  }

  private var link: any ClusterLink { commands.context.link }
  var names: ClusterNames { commands.context.names }
  var loop: EventLoop { commands.context.loop }
  /// The owner of `dispatch.master` when this node leads.
  var leader: String { lead.owner }
  /// Everything that must come before work is done, on this connection or, while it is away, on the last one.
  var reconciled: Bool { join.isWorking }
  private var isWorking: Bool { link.isUp && join.isWorking }

  public var leads: Bool { isWorking && lead.holdsLead }
  public var isAway: Bool { link.isAway }

  public var fault: String? {
    guard link.isUp else { return nil }
    return mark.isTaken ? MarkKeeper.twinWords : reports.fault
  }

  // MARK: Coming and going of the server

  /// To be called when the link came up or went down.
  public func linkChanged(up: Bool) {
    join.standBack()
    canary.forget()
    reports.forget()
    taker.connectionChanged()
    lead.lost()
    mark.connectionChanged()
    guard up else { return }
    commands.connected(as: loop.now.nanoseconds / 1_000_000)
    reconcile()
  }

  /// First the mark, then the locks of running jobs, then what ended meanwhile, then what was taken but never reached the job table; then work.
  private func reconcile() {
    guard let round = join.begin() else { return }
    mark.ask(isCurrent: { [weak self] in self?.join.isCurrent(round) ?? false }) { [weak self] outcome in
      guard let self else { return }
      switch outcome {
      case .mayWork: settle(round)
      case .taken: standBack()
      case .failed: join.interrupted()
      }
    }
  }

  private func settle(_ round: Int) {
    locks.renewAll()
    locks.sendOwed()
    commands.mend(groups().map(names.queue))
    link.send(["GET", ClusterNames.memory]) { [weak self] result in
      guard let self, case .success(let reply) = result else { return }
      _ = heed(canary.readAtJoin(reply.text))
    }
    commands.inFlight { [weak self] result in
      // What an earlier look has read may have ended since.
      guard let self, join.isCurrent(round) else { return }
      switch result {
      case .success(let notes):
        reports.result(of: .notes, nil)
        locks.settle(notes)
      case .failure(let error):
        reports.result(of: .notes, error)
        guard !error.isOutage else { return join.interrupted() }
        locks.settle([:])
      }
      locks.setHolds()
      join.settled()
      lead.joined()
      taker.somethingWaits()
    }
  }

  /// The server does not take us for the one that works here: looked at anew.
  private func standBack() {
    join.standBack()
    lead.lost()
  }

  /// Something was refused because of the mark.
  private func foundStale() {
    guard isWorking else { return }
    standBack()
    reconcile()
  }

  /// The canary key, seen in passing.
  private func look(at value: String?) {
    if heed(canary.readInPassing(value)) { reconcile() }
  }

  /// Whether queues and locks are gone.
  private func heed(_ finding: CanaryKey.Finding) -> Bool {
    if finding.isEmpty { lead.foundEmptyServer() }
    if finding.isLoss {
      commands.context.log.warning("Redis has lost queues and locks (flushed?): the locks of running jobs are set again")
    }
    return finding.isLoss
  }

  /// These keys have changed, or any may have (nil).
  func told(_ keys: [String]?) {
    taker.watch.changed(keys)
    // FLUSHALL says the same as a lost message. It has deleted the locks of running jobs, and no connection ends with it.
    if keys == nil, isWorking { reconcile() }
    somethingWaits()
  }

  // MARK: Turning

  public func turn(at now: MonotonicTime) {
    guard link.isUp, !join.hasLeft else { return }
    guard join.isWorking else { return reconcile() }
    mark.keep(at: now)
    lead.turn()
    // Asked again each second until the server shows it.
    if leads, canary.value == nil {
      // Never twice the same, so that a loss shows even if the key is there again.
      link.send(["SET", ClusterNames.memory, "\(lead.owner) \(loop.wall.inSeconds)", "NX"]) { _ in }
    }
    locks.renew(at: now)
    taker.turn()
  }

  /// The node's settings have changed: its groups, the lifetime of the master's lock, or its name and so the owner of that lock.
  public func settingsChanged() {
    if lead.settingsChanged() { turn(at: loop.now) }
    somethingWaits()
  }

  /// An unfit node gives way to fitter ones.
  public func change(mayLead: Bool) {
    lead.change(isFit: mayLead)
    turn(at: loop.now)
  }

  // MARK: Leaving

  /// Answers come in order: when the last one is here, the server has everything that was said before. A second question, since plain
  /// commands look first and then delete.
  public func retire(_ done: @escaping () -> Void) {
    lead.retire(canTell: isWorking)
    guard link.isUp else { return done() }
    link.send(["PING"]) { [link] _ in link.send(["PING"]) { _ in done() } }
  }

  /// The last script has ended: whoever waits for the node's name may have it. After a round trip: what was said before needs the mark.
  public func leave(_ done: @escaping () -> Void) {
    let canTell = isWorking
    lead.retire(canTell: canTell)
    join.leave()
    guard canTell else { return done() }
    link.send(["PING"]) { [weak self] _ in
      guard let self else { return done() }
      commands.releaseMark { _ in }
      link.send(["PING"]) { [link] _ in link.send(["PING"]) { _ in done() } }
    }
  }

  // MARK: The units' work

  public var needsPolling: Bool { taker.needsPolling }
  public var worthwhileTakes: Int { taker.worthwhileTakes }
  public var depth: Int { taker.depth }
  public var depthIsKnown: Bool { taker.depthIsKnown }
  public var oldest: MonotonicTime? { taker.oldest }

  public func take(_ owner: SlotOwner, _ answer: @escaping (TakeResult) -> Void) { taker.take(owner, answer) }
  func somethingWaits() { taker.somethingWaits() }

  public func enqueue(_ items: [QueueItem], respectingLocks: Bool, tick: TickRun?, _ done: @escaping (EnqueueResult) -> Void) {
    filler.enqueue(items[...], respectingLocks: respectingLocks, tick: tick, done)
  }

  public func lift(_ item: QueueItem, _ answer: @escaping (Result<Bool, CoordinatorFailure>) -> Void) { filler.lift(item, answer) }
  public func presence(of item: QueueItem, _ answer: @escaping (Presence) -> Void) { commands.presence(of: item, answer) }

  public func lastTick(_ name: String, _ answer: @escaping (TickMemory) -> Void) {
    link.send(["GET", names.tick(name)]) { result in
      switch result {
      case .success(let reply): answer(.shared(reply.integer))
      case .failure: answer(.unavailable)
      }
    }
  }

  public func finish(_ job: TakenJob, hold: Duration?, _ done: @escaping () -> Void) { locks.finish(job, hold: hold, done) }
  public func putBack(_ job: TakenJob) { locks.putBack(job) }

  public func putBackUnstarted(_ job: TakenJob) {
    locks.putBackUnstarted(job)
    if isWorking { reconcile() }
  }

  public func adopt(_ job: TakenJob) { locks.adopt(job) }
  public func restore(lock: String, owner: String, until: MonotonicTime) { locks.restore(lock: lock, owner: owner, until: until) }
  /// The server is asked in the same step that enqueues.
  public func isHeld(_ lock: String) -> Bool { false }

  /// A lock that belongs to no queue; nil = it can't be asked for now.
  func acquire(_ job: TakenJob, _ answer: @escaping (Acquisition?) -> Void) {
    if isWorking { locks.acquire(job, answer) } else { answer(nil) }
  }

  public func holder(of lock: String, _ answer: @escaping (Result<LockHolder?, CoordinatorFailure>) -> Void) {
    inspector.holder(of: lock, isWorking: isWorking, answer)
  }

  public func releaseHold(_ lock: String, owner: String, _ answer: @escaping (Result<Bool, CoordinatorFailure>) -> Void) {
    inspector.releaseHold(lock, owner: owner, answer)
  }

  public func locks(_ answer: @escaping (Result<(locks: [LockReport], omitted: Int), CoordinatorFailure>) -> Void) {
    inspector.locks(answer)
  }
}
