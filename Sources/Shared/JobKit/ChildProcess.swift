import CLinuxShims
import Core
import Glibc
import Logging

/// The life of a child: hello, configuration, adoption, ready, then turns of the loop until it is told to drain, or its supervisor is gone.
///
/// It handles no signals: whatever ends it, its successor adopts what it leaves.
public final class ChildProcess {
  /// Between two turns of the loop that hand out jobs, each of which ends with a heartbeat.
  private static let turnInterval = Duration.seconds(1)
  /// How often the lock of a predecessor is tried again while it ends.
  private static let lockRetry = Duration.milliseconds(20)

  private let type: any SchedulerType
  private let makeDuty: (ChildDutySurroundings) -> (any ChildDuty)?
  private var duty: (any ChildDuty)?
  private var runtimeDirectory: String
  private let loop: EventLoop
  private let log: Logger
  private let channel: FrameChannel
  private var epoch = 0
  private var mayLead = true
  /// nil: a node alone.
  private var member: ClusterMember?
  private var settings: Settings?
  private var engine: JobEngine?
  private var dispatch: Dispatch?
  private var onDemand: OnDemand?
  private let keeper: TableKeeper
  private var earlyReaped: [(ProcessIdentity, ExitStatus)] = []
  private var beat: UInt64 = 0
  private var nextTurn = MonotonicTime(nanoseconds: 0)
  private var killedHolder: Int32 = 0

  /// Runs a child to its end. Never returns. `duty`: what it does beside its jobs.
  public static func run(
    _ type: any SchedulerType, duty: @escaping (ChildDutySurroundings) -> (any ChildDuty)? = { _ in nil }
  ) -> Never {
    let runtimeDirectory: String
    do throws(ProcessStart.Refusal) {
      guard let directory = ChildLaunch.runtimeDirectory(try ProcessStart.begin()) else {
        throw ProcessStart.Refusal(description: "it is started by librenms-dispatcher, not by hand. Try: librenms-dispatcher run")
      }
      runtimeDirectory = directory
    } catch {
      ProcessStart.complain("\(type.type.executable): \(error)")
      exit(2)
    }
    ProcessStart.becomeService()
    _ = shim_set_undumpable()
    DispatcherLog.shared.bootstrap(identifier: type.type.executable)
    do {
      let child = try ChildProcess(type: type, runtimeDirectory: runtimeDirectory, duty: duty)
      child.hello()
      try child.loop.run()
    } catch {
      Logger(label: type.type.rawValue).critical("\(error)")
    }
    ProcessEnd.exit(1)
  }

  private init(
    type: any SchedulerType, runtimeDirectory: String, duty: @escaping (ChildDutySurroundings) -> (any ChildDuty)?
  ) throws {
    self.type = type
    makeDuty = duty
    self.runtimeDirectory = runtimeDirectory
    log = Logger(label: type.type.rawValue)
    keeper = TableKeeper(type: type.type, log: log)
    loop = try EventLoop()
    channel = try FrameChannel(fd: ChildLaunch.channel, loop: loop, limit: FrameDecoder.downwardLimit)
  }

  private func hello() {
    channel.onFrame = { [weak self] frame in self?.receive(frame) }
    // The supervisor is gone, and with it the only one who can tell whether we still should be: the scripts stay, for a successor.
    channel.onClose = { _ in ProcessEnd.exit(0) }
    channel.send(Upward.hello(wire: wireVersion, type: type.type, pid: getpid(), version: ProductVersion.text))
  }

  private func receive(_ frame: [UInt8]) {
    let message: Downward
    do {
      message = try MessageCodec.decode(Downward.self, from: frame)
    } catch {
      return log.warning("a message of the supervisor is not understood and ignored: \(error)")
    }
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
      return _ = channel.send(Upward.enqueued(number: number, results: results))
    }
    onDemand.enqueue(payloads) { [weak self] results in
      self?.channel.send(Upward.enqueued(number: number, results: results))
    }
  }

  private func listLocks(_ number: Int) {
    let fail = { [channel] (why: String) in
      _ = channel.send(Upward.locks(number: number, page: LockPage(locks: [], failure: why)))
    }
    guard let engine else { return fail("\(type.type.rawValue) is starting") }
    engine.coordinator.locks { [channel] result in
      switch result {
      case .failure(let failure): fail(failure.reason)
      case .success(let found):
        for page in LockPage.pages(of: found.locks, omitted: found.omitted) { channel.send(Upward.locks(number: number, page: page)) }
      }
    }
  }

  private func move(to directory: String) {
    runtimeDirectory = directory
    if let engine { keeper.keep(engine, in: directory) }
  }

  private func drain(kill: Bool) {
    guard let engine else { ProcessEnd.exit(0) }
    engine.onDrained = { [loop, duty] in
      let end: () -> Void = { ProcessEnd.exit(0) }
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
    DispatcherLog.shared.apply(new)
    if let engine {
      engine.sql.change(new.database)
      member?.apply(new)
      member?.coordinator.change(mayLead: mayLead)
      engine.apply(new)
      dispatch?.apply(new)
      duty?.apply(new)
      channel.send(Upward.ready(epoch: epoch))
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
      ProcessEnd.exit(1)
    }
  }

  private func openTable(slots: Int) throws(JobTable.Failure) -> (table: JobTable, fresh: Bool) {
    let place = MachineIdentity.current()
    do throws(JobTable.Failure) {
      let table = try JobTable.open(path: ChildLaunch.jobTable(type.type, in: runtimeDirectory), slots: slots, place: place)
      return (table, table.generation == 1)
    } catch {
      // Whatever the reason, a type that works without adoption is better than one that does not work.
      guard case .system(let failure) = error, let table = JobTable.anonymous(slots: slots, place: place) else { throw error }
      keeper.startedWithout(failure)
      return (table, true)
    }
  }

  /// A predecessor whose supervisor was killed ends by itself, unless it is stopped or hangs.
  private func endPredecessor(_ pid: Int32) {
    guard pid > 0, pid != killedHolder else { return }
    let own = FileText.read("/proc/self/comm", limit: 64)
    // The lock's holder is what the kernel says; that it is one of us is seen by its name.
    guard own == FileText.read("/proc/\(pid)/comm", limit: 64) else {
      return log.error("the job table is locked by process \(pid), which is no \(type.type.executable)")
    }
    log.warning("process \(pid) of an earlier run still holds the job table: it is killed")
    killedHolder = pid
    kill(pid, SIGKILL)
  }

  private func come(up table: JobTable, fresh: Bool, _ settings: Settings) throws {
    let cooldowns: CooldownFile?
    do throws(SystemError) {
      let path = ChildLaunch.cooldowns(type.type, in: runtimeDirectory)
      cooldowns = table.isPersistent ? try CooldownFile(path: path, fresh: fresh) : nil
      if let garbage = cooldowns?.garbage, garbage > 0 {
        log.warning("\(garbage) records of \(path) were garbage and are dropped: their devices may be tried again at once")
      }
    } catch {
      log.error("\(error): cool-downs of devices are forgotten at a restart")
      cooldowns = nil
    }
    let sql = try SQLThread(settings: settings.database, loop: loop, log: log)
    let type = self.type
    let coordinator: any Coordinator
    if settings.isClustered {
      let member = ClusterMember(type: type, settings: settings, table: table.number, loop: loop, log: log)
      member.coordinator.change(mayLead: mayLead)
      coordinator =
        type.queuesAreShared
        ? member.coordinator
        : NodeQueueCoordinator(type: type, cluster: member.coordinator, log: log)
      self.member = member
    } else {
      coordinator = LocalCoordinator(lockName: { type.lockName($0) }, keepsTicks: type.keepsTicks)
    }
    let engine = JobEngine(
      loop: loop, type: type, settings: settings, table: table, cooldowns: cooldowns, coordinator: coordinator, sql: sql,
      runtimeDirectory: runtimeDirectory, log: log)
    self.engine = engine
    keeper.keep(engine, in: runtimeDirectory)
    for (identity, status) in earlyReaped { engine.noteReaped(identity, status) }
    earlyReaped = []
    engine.adopt()
    member?.start()
    let dispatch = Dispatch(engine: engine, log: log)
    self.dispatch = dispatch
    onDemand = OnDemand(engine: engine)
    engine.onConcluded = { [weak self] item in
      if type.changesConfiguration(item) { self?.channel.send(Upward.reloadWanted(reason: "\(item.payload) has ended")) }
    }
    duty = makeDuty(
      ChildDutySurroundings(
        settings: settings, sql: sql, log: log,
        leads: { [weak self] in self?.member?.coordinator.leads ?? true },
        send: { [weak self] in self?.channel.send($0) }))
    sql.onChange = { [weak self] up in
      if up { dispatch.databaseReturned() }
      engine.wake()
      self?.sendHeartbeat()
    }
    channel.send(Upward.ready(epoch: epoch))
    nextTurn = .now
    turn()
  }

  // MARK: Turning

  /// One turn: what is due is asked for, limits are enforced, and only then the heartbeat goes out. So a heartbeat proves work.
  private func turn() {
    let now = MonotonicTime.now
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
    engine.fillHeartbeat(&heartbeat, at: .now)
    heartbeat.redisCommands = UInt64(clamping: member?.commandsSent ?? 0)
    duty?.fill(&heartbeat)
    heartbeat.tableFailure = keeper.failure
    // A supervisor that does not read is stopped; old beats are worth nothing to it when it goes on.
    if channel.backlog < 4096 { channel.send(Upward.heartbeat(heartbeat)) }
  }
}
