import Core
import Logging

/// The life of a child: hello, configuration, adoption, ready, then turns of the loop until it is told to drain, or its supervisor is gone.
///
/// All of it is logic over a loop, a port and a host: `ChildProcess` runs it on Linux, a simulation runs many of them in one process. It
/// handles no signals: whatever ends it, its successor adopts what it leaves.
public final class ChildRuntime {
  /// Between two turns of the loop that hand out jobs, each of which ends with a heartbeat.
  private static let turnInterval = Duration.seconds(1)
  /// How often the lock of a predecessor is tried again while it ends.
  private static let lockRetry = Duration.milliseconds(20)

  /// What a child works with.
  public struct Surroundings {
    public var loop: EventLoop
    public var port: any ChildPort
    public var host: any Host
    public var log: Logger
    /// Of this process, for the supervisor.
    public var pid: Int32
    /// The level and form of the log, which are settings.
    public var applyToLog: (Settings) -> Void
    public var makeDatabase: (DatabaseSettings) throws -> any NodeDatabase
    public var makeLink: (RedisSettings) -> any ClusterConnection
    public var makeDuty: (ChildDutySurroundings) -> (any ChildDuty)?

    public init(
      loop: EventLoop, port: any ChildPort, host: any Host, log: Logger, pid: Int32, applyToLog: @escaping (Settings) -> Void,
      makeDatabase: @escaping (DatabaseSettings) throws -> any NodeDatabase, makeLink: @escaping (RedisSettings) -> any ClusterConnection,
      makeDuty: @escaping (ChildDutySurroundings) -> (any ChildDuty)?
    ) {
      self.loop = loop
      self.port = port
      self.host = host
      self.log = log
      self.pid = pid
      self.applyToLog = applyToLog
      self.makeDatabase = makeDatabase
      self.makeLink = makeLink
      self.makeDuty = makeDuty
    }
  }

  private let type: any SchedulerType
  private let surroundings: Surroundings
  private let loop: EventLoop
  private let port: any ChildPort
  private let host: any Host
  private let log: Logger
  /// The process is to end with this code. What is called after it is of no effect.
  private let onEnd: (Int32) -> Void
  private var duty: (any ChildDuty)?
  private var epoch = 0
  private var mayLead = true
  /// nil: a node alone.
  private var member: ClusterMember?
  private var settings: Settings?
  public private(set) var engine: JobEngine?
  private var dispatch: Dispatch?
  private var onDemand: OnDemand?
  private let keeper: TableKeeper
  private var earlyReaped: [(ProcessIdentity, ExitStatus)] = []
  private var beat: UInt64 = 0
  private var nextTurn = MonotonicTime(nanoseconds: 0)
  private var killedHolder: Int32 = 0

  public init(_ type: any SchedulerType, _ surroundings: Surroundings, onEnd: @escaping (Int32) -> Void) {
    self.type = type
    self.surroundings = surroundings
    self.onEnd = onEnd
    loop = surroundings.loop
    port = surroundings.port
    host = surroundings.host
    log = surroundings.log
    keeper = TableKeeper(log: log)
  }

  /// The first word to the supervisor, which answers with a configuration.
  public func hello() {
    port.onMessage = { [weak self] in self?.receive($0) }
    // The supervisor is gone, and with it the only one who can tell whether we still should be: the scripts stay, for a successor.
    port.onClose = { [onEnd] _ in onEnd(0) }
    port.send(.hello(wire: wireVersion, type: type.type, pid: surroundings.pid, version: ProductVersion.text))
  }

  private func receive(_ message: Downward) {
    switch message {
    case .configure(let epoch, let mayLead, let settings): configure(epoch, mayLead: mayLead, settings)
    case .drain(let kill): drain(kill: kill)
    case .reaped(let pid, let startTime, let status):
      let identity = ProcessIdentity(pid: pid, startTime: startTime)
      if let engine { engine.noteReaped(identity, status) } else { earlyReaped.append((identity, status)) }
    case .enqueue(let number, let payloads): enqueue(number, payloads)
    case .listLocks(let number): listLocks(number)
    case .move(let directory): move(to: directory)
    case .heartbeats(let heartbeats): duty?.heard(heartbeats)
    }
  }

  // MARK: Questions of the operator

  private func enqueue(_ number: Int, _ payloads: [String]) {
    guard let onDemand else {
      let results = payloads.map { OnDemandResult(payload: $0, outcome: .refused("\(type.type.rawValue) is starting")) }
      return _ = port.send(.enqueued(number: number, results: results))
    }
    onDemand.enqueue(payloads) { [weak self] results in
      _ = self?.port.send(.enqueued(number: number, results: results))
    }
  }

  private func listLocks(_ number: Int) {
    let fail = { [port] (why: String) in
      _ = port.send(.locks(number: number, page: LockPage(locks: [], failure: why)))
    }
    guard let engine else { return fail("\(type.type.rawValue) is starting") }
    engine.coordinator.locks { [port] result in
      switch result {
      case .failure(let failure): fail(failure.reason)
      case .success(let found):
        for page in LockPage.pages(of: found.locks, omitted: found.omitted) { _ = port.send(.locks(number: number, page: page)) }
      }
    }
  }

  private func move(to directory: String) {
    host.directory = directory
    if let engine { keeper.keep(engine, in: directory) }
  }

  private func drain(kill: Bool) {
    guard let engine else { return onEnd(0) }
    engine.onDrained = { [loop, duty, weak self] in
      let end: () -> Void = { self?.onEnd(0) }
      // What Redis and the database have to know of the end is on its way; it gets a moment for it.
      let leave = { engine.coordinator.leave(end) }
      if let duty { duty.end(leave) } else { leave() }
      loop.schedule(after: .seconds(1), end)
    }
    // The lead goes to another node at once, not when the last script has ended.
    engine.coordinator.retire {}
    engine.drain(kill: kill)
  }

  private func configure(_ epoch: Int, mayLead: Bool, _ new: Settings) {
    self.epoch = epoch
    self.mayLead = mayLead
    let first = settings == nil
    settings = new
    surroundings.applyToLog(new)
    if let engine {
      engine.sql.change(new.database)
      member?.apply(new)
      member?.coordinator.change(mayLead: mayLead)
      engine.apply(new)
      dispatch?.apply(new)
      duty?.apply(new)
      port.send(.ready(epoch: epoch))
    } else if first {
      open()
    }
  }

  // MARK: Coming up

  private func open() {
    guard let settings else { return }
    do {
      let opened = try openTable(slots: type.slots(settings))
      try come(up: opened.table, fresh: opened.fresh, settings)
    } catch JobTable.Failure.inUse(let pid) {
      endPredecessor(pid)
      loop.schedule(after: Self.lockRetry) { [weak self] in self?.open() }
    } catch {
      log.critical("can't start: \(error)")
      onEnd(1)
    }
  }

  private func openTable(slots: Int) throws(JobTable.Failure) -> (table: JobTable, fresh: Bool) {
    do throws(JobTable.Failure) {
      let table = try host.openTable(slots: slots)
      return (table, table.generation == 1)
    } catch {
      // Whatever the reason, a type that works without adoption is better than one that does not work.
      guard case .system(let failure) = error, let table = host.openPrivateTable(slots: slots) else { throw error }
      keeper.startedWithout(failure)
      return (table, true)
    }
  }

  /// A predecessor whose supervisor was killed ends by itself, unless it is stopped or hangs.
  private func endPredecessor(_ pid: Int32) {
    guard pid > 0, pid != killedHolder else { return }
    guard host.endPredecessor(pid) else {
      return log.error("the job table is locked by process \(pid), which is no \(type.type.executable)")
    }
    killedHolder = pid
    log.warning("process \(pid) of an earlier run still holds the job table: it is killed")
  }

  private func come(up table: JobTable, fresh: Bool, _ settings: Settings) throws {
    let cooldowns: (any CooldownStore)?
    do throws(SystemError) {
      cooldowns = keeper.failure == nil ? try host.openCooldowns(fresh: fresh) : nil
      if let garbage = cooldowns?.garbage, garbage > 0 {
        log.warning(
          "\(garbage) records of the cool-downs in \(host.directory) were garbage and are dropped: their devices may be tried again at once"
        )
      }
    } catch {
      log.error("\(error): cool-downs of devices are forgotten at a restart")
      cooldowns = nil
    }
    let sql = try surroundings.makeDatabase(settings.database)
    let type = self.type
    let coordinator: any Coordinator
    if settings.isClustered {
      let member = ClusterMember(
        type: type, settings: settings, link: surroundings.makeLink(settings.redis), table: table.number, loop: loop, log: log)
      member.coordinator.change(mayLead: mayLead)
      coordinator =
        type.queuesAreShared
        ? member.coordinator
        : NodeQueueCoordinator(type: type, cluster: member.coordinator, log: log)
      self.member = member
    } else {
      coordinator = LocalCoordinator(lockName: { type.lockName($0) }, keepsTicks: type.keepsTicks, clock: { [loop] in loop.now })
    }
    let engine = JobEngine(
      loop: loop, type: type, settings: settings, host: host, table: table, cooldowns: cooldowns, coordinator: coordinator, sql: sql,
      log: log)
    self.engine = engine
    engine.onLost = { [weak self] in self?.onEnd(1) }
    keeper.keep(engine, in: host.directory)
    for (identity, status) in earlyReaped { engine.noteReaped(identity, status) }
    earlyReaped = []
    engine.adopt()
    member?.start()
    let dispatch = Dispatch(engine: engine, log: log)
    self.dispatch = dispatch
    onDemand = OnDemand(engine: engine)
    engine.onConcluded = { [weak self] item in
      if type.changesConfiguration(item) { self?.port.send(.reloadWanted(reason: "\(item.payload) has ended")) }
    }
    duty = surroundings.makeDuty(
      ChildDutySurroundings(
        settings: settings, loop: loop, sql: sql, log: log,
        leads: { [weak self] in self?.member?.coordinator.leads ?? true },
        send: { [weak self] in self?.port.send($0) }))
    sql.onChange = { [weak self] up in
      if up { dispatch.databaseReturned() }
      engine.wake()
      self?.sendHeartbeat()
    }
    port.send(.ready(epoch: epoch))
    nextTurn = loop.now
    turn()
  }

  // MARK: Turning

  /// One turn: what is due is asked for, limits are enforced, and only then the heartbeat goes out. So a heartbeat proves work.
  private func turn() {
    let now = loop.now
    nextTurn = nextTurn + Self.turnInterval < now ? now + Self.turnInterval : nextTurn + Self.turnInterval
    loop.schedule(at: nextTurn) { [weak self] in self?.turn() }
    guard let engine else { return }
    engine.sql.look(at: now)
    member?.turn(at: now)
    dispatch?.turn(at: now)
    engine.turn(at: now)
    keeper.turn(at: now)
    duty?.turn(at: now)
    sendHeartbeat()
  }

  private func sendHeartbeat() {
    guard let engine else { return }
    beat += 1
    var heartbeat = Heartbeat()
    heartbeat.beat = beat
    heartbeat.lastDispatch = dispatch?.lastDispatch
    heartbeat.lateTicks = dispatch?.ticks.late ?? 0
    heartbeat.missedTicks = dispatch?.ticks.missed ?? 0
    engine.fillHeartbeat(&heartbeat, at: loop.now)
    heartbeat.redisCommands = UInt64(clamping: member?.commandsSent ?? 0)
    duty?.fill(&heartbeat)
    heartbeat.tableFailure = keeper.failure
    // A supervisor that does not read is stopped; old beats are worth nothing to it when it goes on.
    if port.backlog < 4096 { port.send(.heartbeat(heartbeat)) }
  }
}
