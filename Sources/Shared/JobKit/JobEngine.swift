import Core
import Database
import Logging

/// Runs the jobs of one scheduler type: takes them from the queue into slots, starts their scripts, enforces limits, judges their ends.
///
/// Everything runs on the loop's thread. What a slot goes through is decided by its `SlotMachine`, and carried out by `send`. Starting is in `JobEngine+Start`, ends in `JobEngine+End`, what a predecessor left in
/// `JobEngine+Adoption`, what becomes due in `Dispatch`.
public final class JobEngine {
  let loop: EventLoop
  let type: any SchedulerType
  let table: JobTable
  let host: any Host
  var cooldowns: (any CooldownStore)?
  let coordinator: any Coordinator
  let sql: any NodeDatabase
  let router: OutputRouter
  let log: Logger
  private let plainEnvironment = ScriptEnvironment.forScripts(ScriptEnvironment.current())
  private var cachedEnvironment: [CText]

  public private(set) var settings: Settings
  /// What the settings say of slots, at hand: how many are wanted, whether any is used, and the owners of their locks.
  private(set) var wantedSlots: Int
  private(set) var isEnabled: Bool
  private var ownerPrefix: String
  var slots: [JobSlot] = []
  var counters: PerformanceCounters
  var reaped: [ProcessIdentity: ExitStatus] = [:]
  public internal(set) var draining = false
  /// A `take` found nothing; until something wakes us there is no use in asking again.
  var dry = false
  var filling = false
  var deadlineTimer: (due: MonotonicTime, token: TimerToken)?
  var firstTake: MonotonicTime?
  var adoptedCount = 0
  var startOutage = StartOutagePolicy()
  /// Nothing is taken until then.
  var startsPausedUntil: MonotonicTime?
  /// Questions about single jobs that the database refuses.
  var refusals = RefusalPolicy()
  var gate: MemoryGate
  /// The control group of the scripts; nil: they stay in the one that they are started in.
  var group: String?
  var groupFailed = false
  var lastError: String?
  var lastJobStarted: MonotonicTime?
  /// When this node last began each job; keeps periods exact and is lost with the process.
  var ownClock = OwnClockPolicy()
  /// Jobs that did their work without moving their time in the database.
  var stayedDue = StayedDuePolicy()
  /// Runs that ended with 0 and went wrong.
  var unnoticed = UnnoticedFaultPolicy()
  var alike = AlikeFailurePolicy()
  /// What was said about failures that are alike; nil = nothing, or it is over.
  var alikeText: String?
  /// Why the table has fewer slots than are wanted.
  var roomError: SystemError?
  var heldLookDue = MonotonicTime(nanoseconds: 0)
  /// The stop does not wait for scripts.
  var endsScripts = false
  var endedByStop = 0
  /// Names of jobs that were lost with a predecessor and are not told yet.
  var lost: [String] = []
  /// Called when the last script of a drained engine has ended.
  public var onDrained: (() -> Void)?
  /// Called when a job is in the table, just before its process is started: from then on it is not lost.
  var onBegun: ((QueueItem) -> Void)?
  /// The process has to end: another one has its work.
  public var onLost: () -> Void = {}
  /// Called at each job's end, once it is judged.
  public var onConcluded: ((QueueItem) -> Void)?

  public init(
    loop: EventLoop, type: any SchedulerType, settings: Settings, host: any Host, table: JobTable, cooldowns: (any CooldownStore)?,
    coordinator: any Coordinator, sql: any NodeDatabase, log: Logger
  ) {
    self.loop = loop
    self.type = type
    self.settings = settings
    wantedSlots = type.slots(settings)
    isEnabled = type.isEnabled(settings)
    ownerPrefix = Self.ownerPrefix(type.type, settings)
    self.table = table
    self.host = host
    self.cooldowns = cooldowns
    self.coordinator = coordinator
    self.sql = sql
    self.log = log
    router = OutputRouter(loop: loop, log: log)
    cachedEnvironment = settings.phpCache.environment(plainEnvironment)
    counters = PerformanceCounters(window: settings[type.type].frequency)
    gate = MemoryGate(threshold: settings.memoryPressure, log: log) { host.readMemory() }
    slots = (0..<table.slotCount).map { JobSlot(index: $0) }
    coordinator.onWake = { [weak self] in self?.wake() }
    applyGroup()
  }

  /// Slots that may be busy by the settings. The table may have more, from a time when there were more.
  /// A type that is disabled here has none; in a cluster its child only dispatches, for the other nodes.
  var slotLimit: Int { isEnabled ? min(wantedSlots, usableSlots) : 0 }

  var busy: Int { slots.reduce(0) { $0 + ($1.phase == .free ? 0 : 1) } }

  var running: Int { slots.reduce(0) { $0 + ($1.phase.hasScript ? 1 : 0) } }

  /// Applies new settings; jobs that run keep what they started with.
  public func apply(_ new: Settings) {
    settings = new
    wantedSlots = type.slots(new)
    isEnabled = type.isEnabled(new)
    ownerPrefix = Self.ownerPrefix(type.type, new)
    cachedEnvironment = new.phpCache.environment(plainEnvironment)
    counters.change(window: new[type.type].frequency)
    applyGroup()
    ensureRoom()
    wake()
  }

  /// No new work; `onDrained` follows when the last script has ended. With `kill` the scripts are ended: TERM, 5 s, KILL.
  public func drain(kill: Bool) {
    draining = true
    if kill && !endsScripts {
      endsScripts = true
      if running > 0 { log.warning("the stop does not wait: \(running) running scripts are ended") }
      for slot in slots where slot.phase == .running { terminate(slot, byStop: true) }
      scheduleDeadline()
    }
    finishDrainIfIdle()
  }

  /// To be called about every second: deadlines, fork pauses, dropped output, and work that nothing else woke us for.
  public func turn(at now: MonotonicTime) {
    lookAfterTable(at: now)
    table.lastTurn = now
    enforceDeadlines()
    router.report()
    lookAfterStarts(at: now)
    coordinator.turn(at: now)
    if !gate.isOpen {
      gate.look(at: now)
      if gate.isOpen { wake() }
    }
    // The ramp opens with time; otherwise whatever changes wakes us.
    if coordinator.needsPolling || !dry { wake() }
  }

  /// What the next script gets. PHP ends every script whose cache it can't write to, so that is looked at each time: a file system may
  /// have become read-only since the configuration was read.
  var environment: [CText] {
    guard case .on(let directory) = settings.phpCache, host.canUse(directory) else { return plainEnvironment }
    return cachedEnvironment
  }

  // MARK: Taking

  /// Something may be waiting: fills the free slots after this turn.
  func wake() {
    dry = false
    guard !filling else { return }
    filling = true
    loop.afterTurn { [weak self] in
      self?.filling = false
      self?.fill()
    }
  }

  private var mayTake: Bool {
    #if MUTANTS
      if Mutant.active == .drainTakesOn { return !dry && startsPausedUntil == nil && sql.isUp == true && !isProbing }
    #endif
    return !draining && !dry && startsPausedUntil == nil && sql.isUp == true && !isProbing
  }

  private func fill() {
    guard mayTake else { return }
    // One slot stays open, so a type with one has nothing to ask for.
    if slotLimit > 1 { gate.look(at: loop.now) }
    let allowed: Int
    if let firstTake {
      allowed = StartRamp.allowed(slots: slotLimit, elapsed: loop.now - firstTake, adopted: adoptedCount)
    } else {
      allowed = StartRamp.allowed(slots: slotLimit, elapsed: .zero, adopted: adoptedCount)
    }
    let open = gate.allowed(allowed)
    var taken = slots.count { $0.phase != .free && $0.phase != .quarantined }
    for slot in slots.lazy.filter({ $0.phase != .quarantined }).prefix(slotLimit) where slot.phase == .free {
      guard mayTake, taken < open, coordinator.worthwhileTakes > 0 else { return }
      taken += 1
      send(.take, to: slot)
    }
  }

  func askQueue(for slot: JobSlot) {
    coordinator.take(owner(slot.index)) { [weak self] result in
      guard let self else { return }
      switch result {
      case .empty, .unavailable:
        dry = true
        #if MUTANTS
          if Mutant.active == .slotKeptByEmptyTake { return }
        #endif
        send(.nothingTaken, to: slot)
        finishDrainIfIdle()
      case .job(let job):
        if firstTake == nil { firstTake = loop.now }
        // Now it is known whether there is more, for the other slots.
        if coordinator.worthwhileTakes > 0 { wake() }
        send(.taken(job), to: slot)
      }
    }
  }

  func owner(_ slot: Int) -> SlotOwner { SlotOwner(prefix: ownerPrefix, slot: slot) }

  private static func ownerPrefix(_ type: TaskType, _ settings: Settings) -> String { "\(NodeIdentity.owner(settings))-\(type.ownerName)_" }

  /// Asks whether the job should still run, and starts it.
  func consider(_ job: TakenJob, _ slot: JobSlot) {
    #if MUTANTS
      let draining = draining && Mutant.active != .drainTakesOn
    #endif
    guard !draining else {
      // Taken by a question that was on its way when the stop came.
      send(.postponed, to: slot)
      return finishDrainIfIdle()
    }
    #if MUTANTS
      let ignoresOwnClock = Mutant.active == .ownClockIgnored
    #else
      let ignoresOwnClock = false
    #endif
    // Whoever queued it may be told wrong things by the database; what is asked for by hand is not.
    if type.holdsOwnClock, !ignoresOwnClock, job.item.score != QueueItem.onDemand,
      let left = ownClock.tooEarly(
        job.item.payload, period: settings[type.type].frequency, now: .nanoseconds(loop.now.nanoseconds))
    {
      log.debug("\(name(of: job.item)) skipped: it was done here less than half a period ago")
      return leave(slot, hold: left)
    }
    guard let check = type.check(job.item, settings) else { return start(job, slot) }
    sql.ask(check) { [weak self] answer in
      guard let self else { return }
      if case .success = answer, refusals.worked() { log.notice("the database answers again what jobs ask before they start") }
      switch answer {
      case .success(.run) where !draining: start(job, slot)
      case .success(.skip(let reason)):
        log.debug("\(name(of: job.item)) skipped: \(reason)")
        leave(slot, hold: nil)
      case .failure(let error) where error.isTransient && !draining:
        // The job keeps its slot and its lock, and asks again.
        let answer = refusals.refused(isTransient: true, at: .nanoseconds(loop.now.nanoseconds), random: loop.random(in: 0...1))
        if answer.isSaid { log.error("can't look up \(name(of: job.item)): \(error); it is asked again each second or two") }
        loop.schedule(after: answer.pause) { [weak self] in
          if let self, slot.phase == .checking, slot.job == job { consider(job, slot) }
        }
      case .failure(let error) where !error.isOutage && !error.isTransient:
        lastError = "\(name(of: job.item)): \(error)"
        log.error("can't look up \(name(of: job.item)): \(error); it is tried again in \(ExitCodePolicy.firstFailureHold)")
        leave(slot, hold: ExitCodePolicy.firstFailureHold)
      case .success, .failure:
        // The database went away, or the service stops: nothing is lost, the job waits on as before.
        send(.postponed, to: slot)
        finishDrainIfIdle()
      }
    }
  }

  /// Gives up a slot whose job was not started.
  func leave(_ slot: JobSlot, hold: Duration?) {
    send(.skipped(hold: hold), to: slot)
    finishDrainIfIdle()
    wake()
  }

  func finishDrainIfIdle() {
    guard draining, running == 0, !slots.contains(where: { $0.phase.isPending }) else { return }
    if endedByStop > 0 { log.info("\(endedByStop) scripts were ended by the stop; their jobs are due again at once") }
    endedByStop = 0
    onDrained?()
    onDrained = nil
  }

  /// For logs: `poller 42`, `ping group 3`.
  func name(of item: QueueItem) -> String {
    item.payload.isEmpty ? "\(type.type.rawValue) group \(item.group)" : "\(type.type.rawValue) \(item.payload)"
  }

  // MARK: Reporting

  public func fillHeartbeat(_ heartbeat: inout Heartbeat, at now: MonotonicTime) {
    heartbeat.busy = busy
    heartbeat.slots = slotLimit
    heartbeat.queued = coordinator.depth
    heartbeat.queueIsKnown = coordinator.depthIsKnown
    heartbeat.oldestDue = coordinator.oldest.map { now - $0 }
    heartbeat.lastJobStarted = lastJobStarted
    heartbeat.done = counters.done
    heartbeat.failed = counters.failed
    let recent = counters.recent(at: now)
    heartbeat.consumed = recent.seconds
    heartbeat.recentJobs = recent.jobs
    heartbeat.usualLongest = counters.usualLongest
    heartbeat.stayedDue = stayedDue.count(at: .nanoseconds(now.nanoseconds))
    heartbeat.stayedDueExample = stayedDue.example
    heartbeat.capacity = settings[type.type].frequency * slotLimit
    heartbeat.lastError = lastError
    heartbeat.droppedOutput = router.dropped
    heartbeat.sqlStatements = sql.statementCount
    if sql.isUp == false { heartbeat.outages.insert(.database) }
    if coordinator.isAway { heartbeat.outages.insert(.redis) }
    if startOutage.cause == .resources { heartbeat.outages.insert(.fork) }
    heartbeat.warnings = complaints
    heartbeat.fault = fault ?? coordinator.fault ?? heartbeat.fault
    if !gate.isOpen { heartbeat.outages.insert(.memory) }
  }
}
