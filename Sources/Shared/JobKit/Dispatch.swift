import Core
import Database
import Logging

/// Asks the database what is due and queues it, by the rules of the type.
public final class Dispatch {
  private final class Active {
    var rule: DispatchRule
    var next: MonotonicTime
    var tick: TickPolicy?
    /// The answer to its query is not here yet.
    var asked = false
    /// Whoever led before may have run the tick: where the cluster remembers it is to be asked first.
    var tickKnown = false
    var refusals = RefusalPolicy()

    init(rule: DispatchRule, next: MonotonicTime, tick: TickPolicy?) {
      self.rule = rule
      self.next = next
      self.tick = tick
    }
  }

  /// Beside its look ahead, SQL names a device up to this much before its period is over: the contract takes a second off, and both
  /// times are cut to whole seconds.
  private static let earliness = Duration.milliseconds(2500)
  /// Turns come each second, but not in step with a look that an event brought forward: one that is due within this is asked now, or it
  /// would be a whole turn late.
  private static let slack = Duration.milliseconds(500)

  private let engine: JobEngine
  private var loop: EventLoop { engine.loop }
  private let log: Logger
  private let startedAt: MonotonicTime
  private var active: [Active] = []
  /// Newcomers that were queued first once; from then on they are ordinary work.
  private var triedNewcomers: Set<String> = []
  /// Jobs that wait for the end of their period.
  private let delayed: DelayedWork
  private var pruneAt = MonotonicTime(nanoseconds: 0)
  public private(set) var lastDispatch: MonotonicTime?
  public private(set) var ticks = LateTickPolicy()
  /// Ticks that wait in the memory of this process alone, by payload: noted in the table when they begin, so that a successor asks for what
  /// was lost with it.
  private var unbegun: [String: (index: Int, boundary: Int64)] = [:]

  public init(engine: JobEngine, log: Logger) {
    self.engine = engine
    self.log = log
    startedAt = engine.loop.now
    delayed = DelayedWork(loop: engine.loop) { [weak engine] items in
      if let engine, !engine.draining { engine.coordinator.enqueue(items, respectingLocks: true) }
    }
    apply(engine.settings)
    engine.onBegun = { [weak self] item in
      if let self, let tick = unbegun.removeValue(forKey: item.payload) { self.engine.table.setTick(tick.index, to: tick.boundary) }
    }
  }

  /// Rules with the same name go on where they are, also with a timer or a query that is under way; a tick with a new period starts at its next
  /// boundary.
  public func apply(_ settings: Settings) {
    let now = loop.now
    let old = active
    active = engine.type.rules(settings, startedAt: startedAt).map { rule in
      let known = old.first { $0.rule.name == rule.name }
      let entry = known ?? Active(rule: rule, next: now, tick: nil)
      entry.rule = rule
      if case .tick(let index, let period) = rule.trigger, entry.tick?.period != max(period, .seconds(1)) {
        let stored = engine.table.tick(index)
        entry.tick = TickPolicy(period: period, lastBoundary: known != nil || stored == 0 ? nil : stored)
      }
      return entry
    }
  }

  /// To be called about every second.
  public func turn(at now: MonotonicTime) {
    guard !engine.draining else { return }
    guard engine.coordinator.leads else {
      for entry in active { entry.tickKnown = false }
      return
    }
    for rule in active { turn(rule, at: now) }
    prune(at: now)
  }

  /// The database came back: what was due meanwhile is asked for at once.
  public func databaseReturned() {
    for rule in active {
      rule.next = loop.now
      rule.asked = false
    }
    turn(at: loop.now)
  }

  private func turn(_ entry: Active, at now: MonotonicTime) {
    // A timer may outlive its rule.
    guard active.contains(where: { $0 === entry }) else { return }
    // `next` also holds a tick back after its query has failed.
    guard !entry.asked, entry.next <= now + Self.slack, engine.sql.isUp == true, engine.coordinator.leads else { return }
    switch entry.rule.trigger {
    case .every(let period):
      // In step with the first turn, without running after those that were missed.
      entry.next = entry.next + period < now ? now + period : entry.next + period
      ask(entry)
    case .tick(let index, _):
      guard entry.tickKnown else { return learn(entry) }
      guard var tick = entry.tick else { return }
      let monotonic = Duration.nanoseconds(now.nanoseconds)
      let decision = tick.decide(wall: loop.wall - entry.rule.offset, monotonic: monotonic)
      entry.tick = tick
      switch decision {
      case .wait(let wait):
        if engine.table.tick(index) == 0, let boundary = tick.lastBoundary { engine.table.setTick(index, to: boundary) }
        // `turn` comes each second anyway; a timer makes the tick exact.
        if wait < .seconds(1) { loop.schedule(after: wait) { [weak self] in if let self { turn(entry, at: loop.now) } } }
      case .run(let boundary, let missed):
        var run = TickRun(name: entry.rule.name, boundary: boundary, period: tick.period, known: tick.lastBoundary)
        #if MUTANTS
          if Mutant.active == .tickNotedTooEarly { entry.tick?.ran(boundary: boundary, monotonic: monotonic) }
          if Mutant.active == .lastTickRunAgain { run.known = boundary }
        #endif
        ask(entry, run) { [weak self] result in
          // Noted only when the members are queued: a process killed before that leaves the tick to its successor.
          entry.tick?.ran(boundary: boundary, monotonic: monotonic)
          guard let self else { return }
          if missed > 0, result == .done {
            log.warning("\(entry.rule.name): \(missed) ticks missed, run once for all of them")
            ticks.nobodyDispatched(missed)
          }
          if !unbegun.values.contains(where: { $0.index == index }) { engine.table.setTick(index, to: boundary) }
        }
      }
    }
  }

  /// A node that begins to lead goes on where the last leader was: no tick twice, and none lost in between.
  private func learn(_ entry: Active) {
    entry.asked = true
    engine.coordinator.lastTick(entry.rule.name) { [weak self] memory in
      entry.asked = false
      guard let self, let period = entry.tick?.period else { return }
      switch memory {
      case .unavailable: return
      case .own: break
      #if MUTANTS
        case .shared where Mutant.active == .lastTickNotAsked: entry.tick = TickPolicy(period: period, lastBoundary: nil)
        case .shared(let boundary) where Mutant.active == .lastTickRunAgain:
          entry.tick = TickPolicy(period: period, lastBoundary: boundary.map { $0 - period.components.seconds })
      #endif
      case .shared(let boundary): entry.tick = TickPolicy(period: period, lastBoundary: boundary)
      }
      entry.tickKnown = true
      turn(entry, at: loop.now)
    }
  }

  private func ask(_ entry: Active, _ tick: TickRun? = nil, _ done: @escaping (EnqueueResult) -> Void = { _ in }) {
    entry.asked = true
    let asked = loop.now
    engine.sql.ask(entry.rule.question) { [weak self] answer in
      guard let self else { return }
      switch answer {
      case .success(let jobs):
        let answered = loop.now
        if entry.refusals.worked() { log.notice("what is due can be asked again (\(entry.rule.name))") }
        lastDispatch = answered
        judge(jobs, entry.rule, asked: asked)
        enqueue(jobs, entry.rule, tick) { [log, loop] result in
          if !jobs.isEmpty {
            let (query, queueing) = ((answered - asked).inMilliseconds, (loop.now - answered).inMilliseconds)
            let outcome =
              switch result {
              case .done: "queued in"
              case .alreadyTicked: "queued before by another node, known after"
              case .refused: "refused after"
              }
            // A tick by the moment that it is for, whenever it comes: seconds since the epoch.
            let name = entry.rule.name + (tick.map { " of \($0.boundary)" } ?? "")
            log.debug("\(name): \(jobs.count) due, asked in \(query) ms, \(outcome) \(queueing) ms")
          }
          if result != .refused { done(result) }
          // Until then it is not asked again: the same members would be queued twice over, the slower the server the more often.
          entry.asked = false
        }
      case .failure(let error):
        entry.asked = false
        if !error.isOutage {
          engine.lastError = "\(entry.rule.name): \(error)"
          let answer = entry.refusals.refused(
            isTransient: error.isTransient, at: .nanoseconds(loop.now.nanoseconds), random: loop.random(in: 0...1))
          if answer.isSaid { log.error("can't ask what is due (\(entry.rule.name)): \(error)") }
          entry.next = loop.now + answer.pause
        }
      }
    }
  }

  /// What ended well some time before the query was asked should not be in its answer.
  private func judge(_ jobs: [DueJob], _ rule: DispatchRule, asked: MonotonicTime) {
    guard let period = rule.keepsPeriod else { return }
    let asked = Duration.nanoseconds(asked.nanoseconds)
    engine.ownClock.named(newcomers: Set(jobs.lazy.filter(\.isNewcomer).map(\.payload)), askedAt: asked)
    guard engine.stayedDue.isWatching(askedAt: asked) else { return }
    let due = jobs.lazy.filter { !$0.isEarly }.map(\.payload)
    engine.stayedDue.named(due, askedAt: asked, period: period)
  }

  private func enqueue(_ jobs: [DueJob], _ rule: DispatchRule, _ tick: TickRun?, _ done: @escaping (EnqueueResult) -> Void) {
    let now = loop.now
    let wall = loop.wall.inSeconds
    var items: [QueueItem] = []
    items.reserveCapacity(jobs.count)
    let groups = engine.settings.isClustered ? nil : engine.type.queueGroups(engine.settings)
    for (position, job) in jobs.enumerated() where groups?.contains(job.group) ?? true {
      // Of one pass, in the order of the query.
      var item = QueueItem(payload: job.payload, group: job.group, score: wall + Double(position) * 1e-6)
      if rule.respectsLocks, engine.coordinator.isHeld(engine.type.lockName(item)) { continue }
      if job.isNewcomer, triedNewcomers.insert(job.payload).inserted { item.score = QueueItem.newcomer }
      let verdict = engine.ownClock.verdict(
        job.payload, isNewcomer: job.isNewcomer, isEarly: job.isEarly, period: rule.keepsPeriod, horizon: rule.lookAhead + Self.earliness,
        now: .nanoseconds(now.nanoseconds))
      #if MUTANTS
        if Mutant.active == .ownClockIgnored {
          items.append(item)
          continue
        }
        if Mutant.active == .newcomerForgotten, job.isNewcomer, item.score != QueueItem.newcomer { continue }
      #endif
      switch verdict {
      case .immediately: items.append(item)
      case .at(let end): delayed.add(item, until: MonotonicTime(nanoseconds: end.nanoseconds), period: rule.keepsPeriod ?? .zero)
      case .notYet: break
      }
    }
    guard !items.isEmpty || tick != nil else { return done(.done) }
    // What waits in memory is lost with the process: its tick counts when its run has begun.
    if let tick, case .tick(let index, _) = rule.trigger, engine.type.keepsTicks || !engine.type.queuesAreShared,
      !engine.settings.isClustered || !engine.type.queuesAreShared
    {
      for item in items { unbegun[item.payload] = (index, tick.boundary) }
    }
    guard let tick, engine.type.keepsTicks else {
      return engine.coordinator.enqueue(items, respectingLocks: rule.respectsLocks, tick: tick, done)
    }
    // Where the last runs are, asked before this one is queued; the answers come in order.
    var presences: [Presence] = []
    for item in items {
      engine.coordinator.presence(of: item) { presences.append($0) }
    }
    engine.coordinator.enqueue(items, respectingLocks: rule.respectsLocks, tick: tick) { [weak self] result in
      if result == .done { for presence in presences { self?.count(presence, rule, tick) } }
      done(result)
    }
  }

  /// A tick came while the run before it was here.
  private func count(_ presence: Presence, _ rule: DispatchRule, _ tick: TickRun) {
    guard presence != .absent else { return }
    // Where the type is off on this node, it may be off on all: then nobody takes what waits, and that is as it should be.
    guard presence != .waits || engine.type.isEnabled(engine.settings) else { return }
    let now = Duration.nanoseconds(loop.now.nanoseconds)
    guard let line = ticks.cameEarly(isWaiting: presence == .waits, at: now) else { return }
    log.warning(
      """
      \(rule.name): a tick came before the last run was over (\(line.late) that had to wait, \(line.missed) that were skipped since the \
      last such line); the script takes longer than its period of \(tick.period.components.seconds) s, or something holds it up
      """)
  }

  /// Once a minute: forgets what can't matter any more, so that memory follows the devices that exist.
  private func prune(at now: MonotonicTime) {
    guard now >= pruneAt else { return }
    pruneAt = now + .seconds(60)
    let horizon = now - (engine.settings[engine.type.type].frequency * 2 + .seconds(60))
    engine.ownClock.forget(before: .nanoseconds(horizon.nanoseconds))
    if triedNewcomers.count > 10_000 { triedNewcomers.removeAll() }
    engine.cooldowns?.expire(at: now)
  }
}
