import Core
import Glibc
import JobKit
import Simulation

/// What has to be exact while nothing is wrong: each tick has its run, a device that is due is begun, nothing that was taken is forgotten,
/// and what the world keeps does not grow.
///
/// "While nothing is wrong" is a time after the end of each fault, since the contract lets its traces live for a while.
final class CalmCheckers {
  private struct Run {
    var node: String
    var startedAt: MonotonicTime
    var endedAt: MonotonicTime?
    var succeeded = true
  }

  /// A dead holder's lock of alerting or billing lives 60 s, that of the lead 20 s; the rest is for the links and children to come back.
  private static let tickRecovery = Duration.seconds(75)
  /// A child alone comes back within a second and adopts what it had; the next tries of one that dies again and again come later.
  private static let childRecovery = Duration.seconds(20)
  /// From the moment at which a tick can run to the begin of its script: a leader's turn and a follower's, a second each, two round trips,
  /// and as much again.
  private static let tickSlack = Duration.seconds(6)
  /// From the end of the period to the begin: database times are whole seconds at both ends of a poll, and the due list is asked each second.
  private static let dueSlack = Duration.seconds(5)
  /// How long a note may be without its script: what is asked between the take and the start is answered within a second in calm times.
  private static let noteSlack = Duration.seconds(15)

  private let scenario: Scenario
  private unowned let checkers: Checkers
  private var world: World? { checkers.world }
  private var running: [String: [Int32: Run]] = [:]
  private var last: [String: Run] = [:]
  /// By node.
  private var busy: [String: [TaskType: Int]] = [:]
  /// Of devices: the names of their jobs.
  private var names: [Int64: (poll: String, services: String)] = [:]
  private var neighbours: [String: (running: Int, at: MonotonicTime)] = [:]
  /// When no node had a free slot of the type for the last time.
  private var fullAt: [TaskType: MonotonicTime] = [:]
  private var checked: [String: Int64] = [:]
  private var notes: [String: MonotonicTime] = [:]
  private var leader: (name: String?, since: MonotonicTime) = (nil, start)
  private static let start = MonotonicTime(nanoseconds: 0)

  /// A replica that took over may still have locks whose release it never saw: they lapse after a period.
  private var failoverAt: MonotonicTime?

  // Ends of faults, by what they leave behind.
  private var faultUntil = start
  private var childFaultUntil = start
  /// What waited in the servers is lost.
  private var lossUntil = start
  /// After a clock that was wrong the next tick may be a whole period away.
  private var clockUntil = start

  init(_ scenario: Scenario, _ checkers: Checkers) {
    self.scenario = scenario
    self.checkers = checkers
  }

  // MARK: Faults

  func began(_ kind: Fault.Kind) {
    guard let now = world?.clock.now else { return }
    if kind == .redisFailover { failoverAt = now }
    switch kind {
    case .ambush: return
    case .killChild: return childFault()
    case .redisBreak(_, .late(let delay)): disturbed(for: delay)
    case .redisFlushed, .redisFailover, .lockEvicted: lossUntil = max(lossUntil, now)
    // A leader that finds no memory of the last tick begins with the next one.
    case .redisDown(let duration, keepsData: false), .scriptsForbidden(let duration), .redisCondition(_, let duration):
      lossUntil = max(lossUntil, now + duration)
    // A type that was to be switched on again is off until there are settings again.
    case .resolver(_, _, let duration):
      lossUntil = max(lossUntil, now + duration)
      disturbed(for: duration + .seconds(2))
    // Where it is off, ticks are nobody's.
    case .switchType: lossUntil = max(lossUntil, now + .seconds(60))
    case .clockStep(_, _, let duration): clockUntil = max(clockUntil, now + duration)
    // Mended by an admin, when all faults are healed.
    case .garbage:
      lossUntil = now + .seconds(1_000_000)
      disturbed(for: .seconds(1_000_000))
    default: break
    }
    disturbed(for: .zero)
  }

  /// Services begin with the first tick after their start.
  func worldBegins() {
    guard let now = world?.clock.now else { return }
    disturbed(for: .seconds(10))
    lossUntil = now + .seconds(10)
  }

  /// Also by what is no fault in itself: the begin of the world.
  func disturbed(for duration: Duration) {
    guard let now = world?.clock.now else { return }
    faultUntil = max(faultUntil, now + duration)
    // On a node alone the rest of a round of service checks waits in the memory of its child.
    if !scenario.isClustered { childFaultUntil = max(childFaultUntil, now) }
  }

  func childFault() {
    guard let now = world?.clock.now else { return }
    childFaultUntil = max(childFaultUntil, now)
  }

  /// All faults end here.
  func healed() {
    guard let now = world?.clock.now else { return }
    faultUntil = now
    lossUntil = min(lossUntil, now)
    clockUntil = min(clockUntil, now)
  }

  private var ticksFrom: MonotonicTime { max(faultUntil + Self.tickRecovery, childFaultUntil + Self.childRecovery) }
  /// The lock of a device that was lost with its holder lives for a period, and at least a minute.
  private var devicesFrom: MonotonicTime { max(faultUntil, childFaultUntil) + max(scenario.pollPeriod, .seconds(60)) + .seconds(30) }

  // MARK: Scripts

  func started(_ key: String, _ node: String, _ script: SimulatedScript, at now: MonotonicTime) {
    if script.type == .poller { checkDue(key, at: now) }
    let run = Run(node: node, startedAt: now)
    running[key, default: [:]][script.identity.pid] = run
    last[key] = run
    busy[node, default: [:]][script.type, default: 0] += 1
    noteFull(script.type, at: now)
  }

  func ended(_ key: String, _ node: String, _ script: SimulatedScript, succeeded: Bool, at now: MonotonicTime) {
    noteFull(script.type, at: now)
    busy[node, default: [:]][script.type, default: 0] -= 1
    guard var run = running[key]?.removeValue(forKey: script.identity.pid) else { return }
    run.endedAt = now
    run.succeeded = succeeded
    if last[key].map({ $0.startedAt <= run.startedAt }) ?? true { last[key] = run }
  }

  /// The Python node has begun or ended a job.
  func python(_ type: TaskType, _ payload: String, begins: Bool, at now: MonotonicTime) {
    let key = "\(type.rawValue) \(payload)"
    neighbours[key] = ((neighbours[key]?.running ?? 0) + (begins ? 1 : -1), now)
  }

  private func noteFull(_ type: TaskType, at now: MonotonicTime) {
    guard let world else { return }
    for node in world.nodes where node.isUp {
      guard let schedulerType = Node.types[type], schedulerType.isEnabled(node.settings) else { continue }
      if busy[node.machine.name]?[type] ?? 0 < schedulerType.slots(node.settings) { return }
    }
    fullAt[type] = now
  }

  private func isRunning(_ key: String) -> Bool { !(running[key]?.isEmpty ?? true) || neighbours[key]?.running ?? 0 > 0 }

  // MARK: Devices

  /// A device is begun within seconds of the end of its period, unless it failed: then one of its own holds follows, a period at most.
  private func checkDue(_ key: String, at now: MonotonicTime) {
    guard now > devicesFrom, !isRunning(key), let run = last[key], let end = run.endedAt else { return }
    var due = run.startedAt + scenario.pollPeriod
    if !run.succeeded { due = max(due, end + max(scenario.pollPeriod, scenario.downRetry)) }
    if let at = neighbours[key]?.at { due = max(due, at + scenario.pollPeriod) }
    let from = max(due, devicesFrom, fullAt[.poller] ?? Self.start)
    guard now - from > Self.dueSlack else { return }
    checkers.violated(
      "\(key) was due \(seconds(now - due)) s ago and slots were free for \(seconds(now - from)) s, of a period of \(seconds(scenario.pollPeriod)) s"
    )
  }

  // MARK: Now and then

  func look(at now: MonotonicTime) {
    guard let world else { return }
    let name = world.redis.text("librenms.lock:dispatch.master")
    if name != leader.name { leader = (name, now) }
    for type in TaskType.allCases { noteFull(type, at: now) }
    for device in world.database.tables.devices where !device.isDisabled && device.lastPolled != nil {
      checkDue(names(of: device.id).poll, at: now)
    }
    for (type, key) in tickKeys(world) { checkTick(type, key, world, at: now) }
    for node in world.nodes where node.isUp && !node.isFrozen { checkNotes(node, world, at: now) }
    checkSizes(world)
  }

  private func names(of id: Int64) -> (poll: String, services: String) {
    if let known = names[id] { return known }
    let made = ("poller \(id)", "services \(id)")
    names[id] = made
    return made
  }

  private func tickKeys(_ world: World) -> [(TaskType, String)] {
    guard let settings = scenario.nodes.first else { return [] }
    let devices = world.database.tables.devices.filter { !$0.isDisabled }
    let groups = Set(devices.map(\.group))
    var keys: [(TaskType, String)] = [(.alerting, "alerting alerts"), (.billing, "billing poll"), (.billing, "billing calculate")]
    keys += settings.groups.filter(groups.contains).map { (.ping, "ping group \($0)") }
    keys += devices.filter(\.hasServices).map { (.services, names(of: $0.id).services) }
    return keys.filter { settings[$0.0].enabled }
  }

  /// Each tick has a run that begins after it, and before the next one, or it was lost.
  ///
  /// A fault may delay it: then the run comes when the fault and its traces are over. Where that is after the next boundary one run does for
  /// both, so nothing is checked. A tick of services or ping that comes while the last run or its hold goes on is dropped, one of alerting or
  /// billing waits for it.
  private func checkTick(_ type: TaskType, _ key: String, _ world: World, at now: MonotonicTime) {
    guard let period = scenario.period(of: key) else { return }
    let seconds = Int64(period.inSeconds)
    let wall = world.loop.wall
    let boundary = wall.components.seconds / seconds * seconds
    let begin = now - (wall - .seconds(boundary))
    let keepsTicks = type == .alerting || type == .billing
    guard checked[key] != boundary, begin > lossUntil + .seconds(5), begin > clockUntil + period + Self.tickRecovery else { return }
    if !keepsTicks, let at = failoverAt, begin <= at + period + .seconds(2) { return }
    guard keepsTicks || scenario.isClustered || begin > max(faultUntil, childFaultUntil) else { return }
    // A new leader goes on from the last tick that the cluster remembers; before there was one it begins with the next.
    guard begin > ticksFrom || last[key].map({ $0.startedAt > lossUntil && $0.startedAt > clockUntil }) ?? false else { return }
    guard !isPythonsTick(type, begin) else { return }
    var from = max(begin, ticksFrom, fullAt[type] ?? Self.start)
    if let run = last[key], run.startedAt < begin {
      guard keepsTicks || run.succeeded, !isRunning(key) else { return }
      if let end = run.endedAt, end >= begin - .seconds(1) {
        guard keepsTicks else { return }
        from = max(from, end)
      }
    }
    // A Python node that can't release its lock leaves it to lapse after a period, and says so to nobody.
    if !keepsTicks, let at = neighbours[key]?.at, at <= faultUntil + .seconds(5), at + period + .seconds(2) > begin { return }
    guard now - from > Self.tickSlack else { return }
    checked[key] = boundary
    let begun = max(last[key]?.startedAt ?? Self.start, neighbours[key]?.at ?? Self.start)
    if begun >= begin - .milliseconds(100) || isRunning(key) { return }
    checkers.violated(
      "\(key) is not begun \(self.seconds(now - begin)) s after its tick of \(seconds) s, \(self.seconds(now - from)) s after it could be")
  }

  /// A Python leader dispatches neither billing nor what was due when it began to lead, and tells nobody which tick was its last.
  private func isPythonsTick(_ type: TaskType, _ begin: MonotonicTime) -> Bool {
    guard let python = scenario.pythonNode else { return false }
    let period = scenario.period(of: type == .billing ? "billing poll" : type.rawValue) ?? .zero
    if begin <= leader.since + period + .seconds(10) { return true }
    return type == .billing && leader.name?.hasPrefix("\(python.pollerName)-") ?? false
  }

  /// What a node has taken runs there, or is on its way.
  private func checkNotes(_ node: Node, _ world: World, at now: MonotonicTime) {
    let name = node.machine.name
    let fields = world.redis.fields("librenms.inflight:\(NodeIdentity.uuid(node.settings))")
    var slots = 0
    for type in TaskType.allCases { slots += node.machine.table(type)?.slotCount ?? 0 }
    if fields.count > slots { checkers.violated("\(fields.count) notes of \(name) for \(slots) slots") }
    let prefix = "\(name) "
    var known: [String: MonotonicTime] = [:]
    for (field, note) in fields.sorted(by: { $0.key < $1.key }) {
      guard let type = field.split(separator: ":").first.flatMap({ TaskType(rawValue: String($0)) }) else { continue }
      let parts = note.split(separator: "\t", maxSplits: 4, omittingEmptySubsequences: false)
      guard parts.count == 5 else { continue }
      let payload = parts[4].isEmpty ? "group \(parts[0])" : String(parts[4])
      if running["\(type.rawValue) \(payload)"]?.values.contains(where: { $0.node == name }) ?? false { continue }
      let mark = prefix + field + note
      let since = notes[mark] ?? now
      known[mark] = since
      let from = max(since, max(faultUntil, childFaultUntil) + .seconds(30))
      if now - from >= Self.noteSlack {
        checkers.violated("\(type.rawValue) \(payload) was taken by \(name) and is forgotten: \(field) \(note)")
      }
    }
    notes = notes.filter { !$0.key.hasPrefix(prefix) }.merging(known) { $1 }
  }

  /// A queue has each device once, and a process a few timers for each device and slot at most.
  private func checkSizes(_ world: World) {
    guard let settings = scenario.nodes.first else { return }
    let devices = scenario.devices.count
    for type in TaskType.allCases {
      let waiting = settings.groups.reduce(0) { $0 + world.redis.members("librenms.queue:\(type.rawValue):\($1)").count }
      if waiting > devices + 2 { checkers.violated("\(waiting) members in the queues of \(type.rawValue), of \(devices) devices") }
    }
    for node in world.nodes {
      let loops = [node.process?.loop].compactMap { $0 } + node.children.values.map(\.process.loop)
      let most = loops.map(\.timerCount).max() ?? 0
      if most > 4 * devices + 200 { checkers.violated("\(most) timers in one process of \(node.machine.name)") }
    }
  }

  private func seconds(_ duration: Duration) -> String { "\((duration.inSeconds * 10).rounded() / 10)" }
}
