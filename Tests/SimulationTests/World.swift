import Core
import Glibc
import JobKit
import Logging
import Simulation

/// A whole cluster in one process: nodes, a Redis, a database and scripts on one clock that jumps from event to event.
///
/// Everything that differs from seed to seed comes out of the scenario; everything that differs from run to run of one seed would be a fault.
final class World {
  let scenario: Scenario
  let clock = WorldClock()
  /// Of the servers; each machine has one of its own.
  let wall = WallOffset(.seconds(1_790_000_000) - .seconds(1000))
  /// For what belongs to no process: servers, scripts, faults.
  let loop: EventLoop
  let redis: SimulatedRedis
  let database: SimulatedDatabase
  let trace: WorldTrace
  let checkers: Checkers
  private(set) var nodes: [Node] = []
  private(set) var python: PythonNode?
  private var generator: SeededGenerator
  /// Looked through before every turn, so without a count of references.
  private struct Entry {
    let process: Unmanaged<SimulatedProcess>
    let loop: Unmanaged<EventLoop>
    let node: Unmanaged<Node>
  }
  private var entries: [Entry] = []
  private var processes: [ObjectIdentifier: SimulatedProcess] = [:]
  private var hasDead = false
  /// Dead children whose code may still be on the stack.
  private var graveyard: [AnyObject] = []
  /// Armed by a fault: the next time that a child of this node and type passes the point it is killed there.
  var ambushes: [(node: Int, type: TaskType, point: SimulatedMachine.KillPoint)] = []
  /// Every service was asked to stop, and none is held up by a fault: nothing is on time any more, and nothing begins.
  private(set) var stoppingSince: MonotonicTime?
  /// All faults are over, and everything has to come to rest.
  var isHealed = false
  private(set) var turns = 0

  init(_ scenario: Scenario, keepsTrace: Bool = false, digests: Bool = true) {
    self.scenario = scenario
    generator = SeededGenerator(seed: scenario.seed &* 31 &+ 7)
    let seeds = SeededGenerator(seed: scenario.seed &* 17 &+ 3)
    loop = EventLoop(poller: WorldPoller(clock, wall), generator: seeds)
    trace = WorldTrace(clock: clock, isKept: keepsTrace, isDigested: digests)
    redis = SimulatedRedis(loop: loop)
    database = SimulatedDatabase(loop: loop)
    checkers = Checkers(scenario)
    checkers.world = self
    trace.checkers = checkers
    for device in scenario.devices { database.tables.set(device) }
    // Each write is done twice for it.
    if scenario.faults.contains(where: \.isFailover) { redis.keepReplica(behind: scenario.replicaLag) }
    for (index, settings) in scenario.nodes.enumerated() { nodes.append(Node(index, self, settings)) }
    if let settings = scenario.pythonNode { python = PythonNode(self, settings) }
  }

  // MARK: For its parts

  func dice(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &generator) }

  func makeLoop(_ wall: WallOffset) -> EventLoop {
    EventLoop(poller: WorldPoller(clock, wall), generator: SeededGenerator(seed: generator.next()))
  }

  func add(_ process: SimulatedProcess, _ node: Node) {
    processes[ObjectIdentifier(process)] = process
    entries.append(
      Entry(process: .passUnretained(process), loop: .passUnretained(process.loop), node: .passUnretained(node)))
    process.onDeath.append { [unowned self] in hasDead = true }
  }

  func retain(_ object: AnyObject) { graveyard.append(object) }

  func logger(_ name: String) -> Logger { trace.logger(name) }

  // MARK: Running

  /// Runs until the clock shows this much since the begin.
  func run(until time: MonotonicTime) {
    while true {
      var best: MonotonicTime?
      var chosen: Unmanaged<EventLoop>?
      if let work = loop.nextWork {
        best = work
        chosen = .passUnretained(loop)
      }
      for entry in entries {
        guard !entry.process._withUnsafeGuaranteedRef({ $0.isStopped }), !entry.node._withUnsafeGuaranteedRef({ $0.isFrozen }),
          let work = entry.loop._withUnsafeGuaranteedRef({ $0.nextWork })
        else { continue }
        if best.map({ work < $0 }) ?? true {
          best = work
          chosen = entry.loop
        }
      }
      guard let best, let chosen, best <= time else { break }
      clock.advance(to: best)
      chosen.takeUnretainedValue().turnTimers()
      turns += 1
      if !graveyard.isEmpty { graveyard = [] }
      if hasDead {
        hasDead = false
        entries.removeAll { !$0.process._withUnsafeGuaranteedRef { $0.isAlive } }
        processes = processes.filter { $0.value.isAlive }
      }
      if checkers.violation != nil { return }
    }
    clock.advance(to: time)
  }

  /// The whole life of this world: faults, healing, rest.
  func live(heals: Bool = true) {
    let begin = clock.now
    for (index, node) in nodes.enumerated() {
      loop.schedule(after: scenario.starts[index]) { node.start() }
    }
    look()
    checkers.calm.worldBegins()
    if let python { loop.schedule(after: .seconds(1)) { python.start() } }
    for fault in scenario.activeFaults { loop.schedule(at: begin + fault.at) { [unowned self] in fault.begin(in: self) } }
    run(until: begin + scenario.duration)
    guard heals, checkers.violation == nil else { return }
    heal()
    let rest = scenario.healingTime
    run(until: clock.now + rest)
    guard checkers.violation == nil else { return }
    checkers.checkAllPolled()
    guard checkers.violation == nil else { return }
    stoppingSince = clock.now
    for node in nodes { node.stop() }
    python?.stop()
    run(until: clock.now + Scenario.stopTime)
    if checkers.violation == nil { checkers.checkRest() }
  }

  /// What no event shows. Often enough for each boundary of the shortest ticks, half a minute.
  private func look() {
    loop.schedule(after: .seconds(7)) { [unowned self] in
      if stoppingSince == nil { checkers.calm.look(at: clock.now) }
      for node in nodes where node.isUp && !node.isFrozen { checkers.checkLimits(node.machine, at: clock.now) }
      look()
    }
  }

  private func heal() {
    isHealed = true
    checkers.healed()
    trace.note("all faults are over")
    ambushes = []
    if !redis.isRunning { redis.start(keepingData: true) }
    redis.thaw()
    redis.condition = .well
    redis.forbidsScripts = false
    redis.forbidsTracking = false
    database.comeUp()
    database.thaw()
    database.isReadOnly = false
    database.transientErrors = 0
    database.clockOffset = .zero
    mendRows()
    for node in nodes {
      node.isFrozen = false
      node.machine.refusesForks = false
      node.machine.isFull = false
      node.baseHangs = false
      node.resolver = .well
      node.killHelper()
      node.reload()
      if node.settings.nodeID != scenario.nodes[node.index].nodeID { node.takeNames(of: nil) }
      node.wall.value = wall.value
      if let process = node.process, process.isStopped { node.machine.processes.signal(process.pid, SIGCONT) }
      for child in node.children.values.sorted(by: { $0.process.pid < $1.process.pid }) {
        child.path.heal()
        if child.process.isStopped { node.machine.processes.signal(child.process.pid, SIGCONT) }
      }
      node.start()
    }
    python?.heal()
  }
}

extension World {
  /// An admin mends what garbage has made of the devices.
  fileprivate func mendRows() {
    let groups = scenario.nodes[0].groups
    for device in database.tables.devices {
      var row = device
      if !groups.contains(row.group) { row.group = groups[0] }
      row.status = 1
      if let time = row.lastPolled, time > database.now || time == 0 { row.lastPolled = database.now }
      if let time = row.lastDiscovered, time > database.now || time == 0 { row.lastDiscovered = database.now }
      if row.lastPolledTaken ?? 0 > 3600 { row.lastPolledTaken = 1 }
      if row.lastDiscoveredTaken ?? 0 > 3600 { row.lastDiscoveredTaken = 1 }
      if row != device { database.tables.set(row) }
    }
    database.tables.cluster = []
  }
}

extension World: SimulatedMachine.Witness {
  func plan(_ machine: SimulatedMachine, _ type: TaskType, _ payload: String) -> ScriptPlan {
    let duration = scenario.duration(of: type, payload, dice: dice(0...999_999))
    let id = Int64(payload)
    let begun = clock.now
    let roll = dice(0...999)
    guard !isHealed else {
      return ScriptPlan(duration: duration) { [unowned self] in take(effect: type, id, begun, $0) }
    }
    if roll < 4 { return ScriptPlan(duration: .seconds(100_000), ignoresTerm: roll < 2) }
    if roll < 12 { return ScriptPlan(duration: duration, status: .exited(1)) }
    if roll < 20, type == .poller { return ScriptPlan(duration: duration, status: .exited(6)) }
    if roll < 23 { return ScriptPlan(duration: duration, status: .signalled(SIGSEGV)) }
    return ScriptPlan(duration: duration) { [unowned self] in take(effect: type, id, begun, $0) }
  }

  /// As a script of LibreNMS: without a server it fails, one that is silent it waits for, and one that is read-only it does not notice.
  private func take(effect type: TaskType, _ id: Int64?, _ begun: MonotonicTime, _ status: ExitStatus) -> ExitStatus? {
    if database.isSilent { return nil }
    if database.isDown { return .exited(1) }
    guard let id else { return status }
    switch type {
    case .poller: database.polled(id, taken: clock.now - begun)
    case .discovery: database.discovered(id, taken: clock.now - begun)
    default: break
    }
    return status
  }

  func started(_ machine: SimulatedMachine, _ script: SimulatedScript) {
    trace.note("\(machine.name): \(script.type.rawValue) \(script.payload) runs as \(script.identity.pid)")
    checkers.started(machine.name, script, at: clock.now)
  }

  func ended(_ machine: SimulatedMachine, _ script: SimulatedScript, _ status: ExitStatus, signal: Int32?) {
    trace.note("\(machine.name): \(script.type.rawValue) \(script.payload) has ended: \(status)")
    checkers.ended(machine.name, script, status, signal: signal, at: clock.now)
  }

  func passed(_ point: SimulatedMachine.KillPoint, _ child: SimulatedProcess) {
    guard
      let place = ambushes.firstIndex(where: {
        $0.point == point && child.name == "\(nodes[$0.node].machine.name)/\($0.type.rawValue)"
      })
    else { return }
    ambushes.remove(at: place)
    checkers.calm.childFault()
    trace.note("\(child.name) is killed at \(point)")
    child.kill()
  }
}

extension Fault {
  fileprivate var isFailover: Bool {
    if case .redisFailover = kind { true } else { false }
  }
}
