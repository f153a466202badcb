import Core
import Logging
import Redis

/// Queue and locks in Redis, shared by the nodes of a cluster, Python ones among them.
public final class RedisCoordinator: Coordinator {
  public var onWake: (() -> Void)?

  let link: any ClusterLink
  let commands: ClusterClient
  let ttl: () -> Duration
  let names: ClusterNames
  let lockPrefix: String
  let log: Logger
  let loop: EventLoop
  let groups: () -> [Int]
  /// A member whose lock is held stays queued.
  let keepsTicks: Bool
  private var named: (groups: [Int], queues: [String]) = ([], [])
  private let masterTtl: () -> Duration
  private let leaderName: () -> String
  /// The owner of `dispatch.master` when this node leads.
  private(set) var leader: String
  var mastership = MastershipPolicy()
  var claiming = false
  /// Jobs of this node that have a lock: in slots of the table, by slot.
  var held: [Int: (job: TakenJob, renewAt: MonotonicTime)] = [:]
  /// How many ends of a slot's jobs are on their way to the server: until it has answered, a note that it shows says nothing.
  var ending: [Int: Int] = [:]
  /// Ends that the server has not taken yet.
  var unfinished: [(job: TakenJob, hold: MonotonicTime?)] = []
  /// Jobs of the table that never ran and are to be queued again, by slot.
  var unstarted: [Int: TakenJob] = [:]
  /// Cool-downs from the job table; only set anew when the server has lost them.
  var holds: [String: (owner: String, until: MonotonicTime)] = [:]
  var reconciled = false
  var reconciling = false
  /// Counts the looks at everything, so that the answers to one that was given up are told from those to the next.
  var round = 0
  /// What the server holds under the key that shows that it has not forgotten everything; nil = nothing, or not known.
  private var memory: String?

  // Of the mark and of what does not work: `RedisCoordinator+Mark`.
  let markLifetime: MarkLifetime
  /// This one says what is the same for all children of a node.
  let speaksForNode: Bool
  /// When the mark was asked for that the server has confirmed.
  var markKeptAt = MonotonicTime(nanoseconds: 0)
  var isKeepingMark = false
  /// We may not use the mark's key, and work without it.
  var isUnprotected = false
  /// The table of another service that is alive under this node's name.
  var twin: String?
  var hasLeft = false
  /// Who leads, as it was said last, and how often jobs came back: a connection that comes and goes must not say it each time.
  private var saidLead: Bool?
  private var returns = RepeatPolicy()
  /// Errors that were said and last, by what failed.
  var complaints: [Concern: String] = [:]

  // Of the queues: `RedisCoordinator+Queue`.
  /// Slots whose take is under way.
  var taking: Set<Int> = []
  var takes = TakePolicy()
  var waiting = DepthPolicy()
  var lookAt = MonotonicTime(nanoseconds: 0)
  /// Queues whose next change the server will tell.
  var tracked: Set<String> = []
  var willAskToBeTold = false
  /// When the loss of a single lock was said last.
  var lostLockSaidAt: MonotonicTime?

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
    link = node.link
    leaderName = node.leaderName
    leader = node.leaderName()
    #if MUTANTS
      keepsTicks = node.keepsTicks && Mutant.active != .waitingTickDropped
    #else
      keepsTicks = node.keepsTicks
    #endif
    lockPrefix = node.names.lock("")
    masterTtl = node.masterTtl
    groups = node.groups
    loop = node.loop
    names = node.names
    self.ttl = ttl
    self.log = log
    markLifetime = MarkLifetime(whole: node.markLifetime)
    speaksForNode = node.speaksForNode
    let context = ClusterContext(
      link: node.link, names: node.names, lockPrefix: node.names.lock(node.lockPrefix), usesGroupLocks: node.usesGroupLocks, log: log)
    commands = ClusterClient(context, table: node.table)
    commands.onStale = { [weak self] in self?.foundStale() }
  }

  public var leads: Bool { link.isUp && reconciled && mastership.leads(at: instant, ttl: masterTtl()) }
  public var isAway: Bool { link.isAway }

  /// The names of the queues of `groups`.
  var queues: [String] {
    let groups = groups()
    if named.groups != groups { named = (groups, groups.map(names.queue)) }
    return named.queues
  }
  public var depth: Int { waiting.waiting }

  public var depthIsKnown: Bool { link.isUp && waiting.isKnown(at: instant) }

  /// For reports; to a second, as scores are wall clock times.
  public var oldest: MonotonicTime? {
    waiting.lowest.flatMap {
      // A clock that was set back does not make them due in the future.
      $0 > 1e6 ? loop.now - max(.zero, loop.wall - Duration(seconds: $0)) : nil
    }
  }

  // MARK: Coming and going of the server

  /// To be called when the link came up or went down.
  public func linkChanged(up: Bool) {
    reconciled = false
    reconciling = false
    round += 1
    memory = nil
    complaints = [:]
    tracked = []
    takes.doubt()
    waiting.lost()
    mastershipLost()
    isKeepingMark = false
    isUnprotected = false
    guard up else { return }
    commands.connected(as: loop.now.nanoseconds / 1_000_000)
    reconcile()
  }

  func mastershipLost() {
    mastership.lost()
    claiming = false
  }

  /// First the mark, then the locks of running jobs, then what ended meanwhile, then what was taken but never reached the job table; then work.
  func reconcile() {
    guard !reconciling, !hasLeft else { return }
    reconciling = true
    round += 1
    let round = self.round
    askForMark(round) { [weak self] in self?.settle(round) }
  }

  private func settle(_ round: Int) {
    renew(jobsHeld { _ in true })
    let now = loop.now
    let ends = unfinished
    unfinished = []
    for end in ends { finish(end.job, hold: end.hold.map { $0 - now }) }
    commands.mend(queues)
    link.send(["GET", ClusterNames.memory]) { [weak self] result in
      guard let self, case .success(let reply) = result else { return }
      if let memory, memory != reply.text { sayLoss() }
      remember(reply.text)
    }
    commands.inFlight { [weak self] result in
      // What an earlier look has read may have ended since.
      guard let self, reconciling, round == self.round else { return }
      var notes: [Int: TakenJob] = [:]
      switch result {
      case .success(let found):
        complain(.notes, of: nil)
        notes = found
      case .failure(let error):
        complain(.notes, of: error)
        guard !error.isOutage else { return reconciling = false }
      }
      // Those of the job table are as good as what is noted, and newer.
      notes.merge(unstarted) { $1 }
      unstarted = [:]
      var lost = 0
      for (slot, job) in notes.sorted(by: { $0.key < $1.key }) where held[slot]?.job.owner != job.owner || held[slot]?.job.lock != job.lock
      {
        guard !taking.contains(slot), ending[slot] == nil else { continue }
        #if MUTANTS
          if Mutant.active == .noteForgotten { continue }
        #endif
        lost += 1
        commands.putBack(job) { _ in }
      }
      if lost > 0, let times = returns.happened(at: instant) {
        let often = times > 1 ? " (and \(times - 1) times since the last such line)" : ""
        log.warning("\(lost) jobs that were taken and never started are back in the queue\(often)")
      }
      holds = holds.filter { $0.value.until > now }
      for (lock, cooldown) in holds.sorted(by: { $0.key < $1.key }) {
        link.send([
          "SET", lock, cooldown.owner, "PX", String((cooldown.until - now).nanoseconds / 1_000_000 + 1), "NX",
        ]) { _ in }
      }
      reconciled = true
      reconciling = false
      if mastership.turn(at: instant) == .claim { claim() }
      somethingWaits()
    }
  }

  /// What the server shows of the key that it should never lose.
  private func remember(_ value: String?) {
    memory = value
    guard value == nil else { return }
    // It was flushed, or restarted without its data: the other nodes have lost the locks of their running jobs too.
    mastership.foundEmptyServer(at: instant)
  }

  /// The same, seen in passing each second: a server can lose its data without ending any connection, and only one with tracking tells.
  private func look(at value: String?) {
    let before = memory
    if value != nil || before != nil { remember(value) }
    // Another value is a leader's who has seen the loss before us.
    guard let before, before != value else { return }
    sayLoss()
    reconcile()
  }

  private func sayLoss() {
    log.warning("Redis has lost queues and locks (flushed?): the locks of running jobs are set again")
  }

  // MARK: Turning

  public func turn(at now: MonotonicTime) {
    guard link.isUp, !hasLeft else { return }
    guard reconciled else { return reconcile() }
    keepMark(at: now)
    switch mastership.turn(at: instant) {
    case .claim: claim()
    case .look: look()
    case .abdicate: abdicate {}
    }
    // Asked again each second until the server shows it.
    if leads, memory == nil {
      // Never twice the same, so that a loss shows even if the key is there again.
      link.send(["SET", ClusterNames.memory, "\(leader) \(loop.wall.inSeconds)", "NX"]) { _ in }
    }
    if needsPolling { takes.doubt() }
    renew(jobsHeld { $0 <= now })
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
      if link.isUp { commands.abdicate(owner: old) }
      turn(at: loop.now)
    }
    somethingWaits()
  }

  /// An unfit node gives way to fitter ones.
  public func change(mayLead: Bool) {
    mastership.change(isFit: mayLead, jitter: .milliseconds(loop.random(in: 0...3000)))
    turn(at: loop.now)
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

  /// The last script has ended: whoever waits for the node's name may have it. After a round trip: what was said before needs the mark.
  public func leave(_ done: @escaping () -> Void) {
    let led = leads
    mastership.retire()
    guard link.isUp, reconciled else {
      hasLeft = true
      return done()
    }
    if led { abdicate {} }
    hasLeft = true
    link.send(["PING"]) { [weak self] _ in
      guard let self else { return done() }
      commands.releaseMark { _ in }
      link.send(["PING"]) { [link] _ in link.send(["PING"]) { _ in done() } }
    }
  }

  private func claim() {
    guard !claiming else { return }
    claiming = true
    let begun = loop.now
    let asked = instant
    let led = leads
    let name = leader
    commands.claim(owner: name, ttl: masterTtl(), markLifetime: markLifetime.whole) { [weak self] result in
      guard let self, name == leader else { return }
      claiming = false
      guard case .success(let lead) = result else {
        if case .failure(let error) = result { complain(.lead, of: error) }
        return
      }
      complain(.lead, of: nil)
      if commands.isFenced { markKeptAt = begun }
      if let owner = lead.owner {
        mastership.refused(by: owner)
      } else {
        // The lock's lifetime counts from before the question, so we never believe in it for longer than the server does.
        mastership.claimed(asked: asked)
        if case .abdicate = mastership.turn(at: instant) { return abdicate {} }
      }
      look(at: lead.memory)
      if leads != led {
        say(leads: leads)
        onWake?()
      }
    }
  }

  /// The lock was not ours any more when something was to be queued.
  func unseated() {
    mastership.refused(by: "another node")
    say(leads: false)
  }

  private func say(leads: Bool) {
    guard saidLead != leads else { return }
    saidLead = leads
    say(leads ? "this node dispatches for the cluster" : "another node dispatches for the cluster")
  }

  private func look() {
    link.send(["MGET", ClusterNames.masterLock, ClusterNames.memory]) { [weak self] result in
      guard case .success(let reply) = result, let values = reply.elements, values.count == 2 else {
        if case .failure(let error) = result { self?.complain(.lead, of: error) }
        return
      }
      self?.complain(.lead, of: nil)
      self.map { $0.mastership.saw(owner: values[0].text, at: $0.instant) }
      self?.look(at: values[1].text)
    }
  }

  private func abdicate(_ done: @escaping () -> Void) {
    mastership.abdicated()
    commands.abdicate(owner: leader) { _ in done() }
  }

  /// `loop.now` as policies take it.
  var instant: Duration { .nanoseconds(loop.now.nanoseconds) }
}
