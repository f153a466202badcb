import Core
import Glibc
import Simulation

/// Something that goes wrong at a time.
struct Fault: CustomStringConvertible {
  enum Kind: Equatable {
    case killChild(node: Int, TaskType)
    case stopChild(node: Int, TaskType, Duration)
    case ambush(node: Int, TaskType, SimulatedMachine.KillPoint)
    case killSupervisor(node: Int, back: Duration)
    case killNode(node: Int, back: Duration)
    case restart(node: Int)
    case freezeNode(node: Int, Duration)
    case reload(node: Int)
    case workers(node: Int, Int)
    case switchType(node: Int, TaskType)
    case forksRefused(node: Int, Duration)
    /// Its runtime directory takes no new file; its children are killed then, so that they need one.
    case fullDirectory(node: Int, Duration)
    /// A child is killed, and its job table overwritten before its successor reads it.
    case damagedTable(node: Int, TaskType)
    /// The configuration helper does not do its work while a reload, and perhaps a start, wants it.
    case resolver(node: Int, Node.ResolverMood, Duration)
    /// The file system of the base directory hangs, for whoever looks into it.
    case baseHangs(node: Int, Duration)
    /// It leaves in peace and comes back later.
    case leave(node: Int, back: Duration)
    /// A copied `.env`: two nodes call themselves by the same names.
    case twins(node: Int, Duration)
    /// Somebody asks for polls or discoveries of devices.
    case onDemand(node: Int, TaskType, first: Int, count: Int)
    case deviceAdded(Int)
    case deviceRemoved(Int)
    case deviceDisabled(Int, Duration)
    case deviceMoved(Int, Duration)
    case clockStep(node: Int, seconds: Int, Duration)
    case redisDown(Duration, keepsData: Bool)
    case redisFrozen(Duration)
    case redisCut(node: Int, Duration, delivers: Bool)
    case redisDropped(node: Int)
    case redisBreak(node: Int, SimulatedRedisPath.Break)
    case redisFlushed
    case redisFailover
    case redisCondition(SimulatedRedis.Condition, Duration)
    case scriptsForbidden(Duration)
    case scriptsForgotten
    case lockEvicted(Int)
    case databaseDown(Duration)
    case databaseSilent(Duration)
    case databaseCut
    case databaseReadOnly(Duration)
    case databaseTransient(Double, Duration)
    case databaseClock(seconds: Int, Duration)
    case garbage(rows: Int)
  }

  var at: Duration
  var kind: Kind

  var description: String { "\((at.inSeconds * 10).rounded() / 10) s: \(kind)" }
}

extension Fault.Kind {
  /// One of all kinds, by weight.
  static func draw(nodes: Int, isClustered: Bool, using generator: inout SeededGenerator) -> Self {
    func dice(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &generator) }
    func time(_ seconds: ClosedRange<Double>) -> Duration {
      .milliseconds(Int64(Double.random(in: seconds, using: &generator) * 1000))
    }
    let node = dice(0...nodes - 1)
    let types: [TaskType] = [.poller, .poller, .poller, .discovery, .services, .ping, .billing, .alerting, .maintenance]
    let type = types[dice(0...types.count - 1)]
    let point = SimulatedMachine.KillPoint.allCases[dice(0...3)]
    let own: [(Int, Self)] = [
      (6, .killChild(node: node, type)),
      (3, .stopChild(node: node, type, time(0.5...40))),
      (6, .ambush(node: node, type, point)),
      (3, .killSupervisor(node: node, back: time(0.2...5))),
      (2, .killNode(node: node, back: time(1...60))),
      (2, .restart(node: node)),
      (2, .freezeNode(node: node, time(1...50))),
      (2, .reload(node: node)),
      (2, .workers(node: node, dice(1...24))),
      (1, .switchType(node: node, type)),
      (2, .forksRefused(node: node, time(0.5...20))),
      (1, .fullDirectory(node: node, time(5...90))),
      (2, .damagedTable(node: node, type)),
      (2, .resolver(node: node, [.dies, .writesGarbage, .hangs, .waits][dice(0...3)], time(5...120))),
      (1, .baseHangs(node: node, time(1...200))),
      (2, .leave(node: node, back: time(5...300))),
      (4, .onDemand(node: node, dice(0...3) == 0 ? .discovery : .poller, first: dice(1...200), count: dice(1...10))),
      (1, .deviceAdded(dice(1...10))),
      (1, .deviceRemoved(dice(1...200))),
      (1, .deviceDisabled(dice(1...200), time(10...200))),
      (1, .deviceMoved(dice(1...200), time(10...200))),
      (2, .clockStep(node: node, seconds: [-3600, -60, -5, 5, 60, 3600][dice(0...5)], time(10...300))),
      (3, .databaseDown(time(0.5...60))),
      (2, .databaseSilent(time(1...40))),
      (2, .databaseCut),
      (1, .databaseReadOnly(time(10...120))),
      (2, .databaseTransient(Double(dice(1...50)) / 100, time(5...60))),
      (1, .databaseClock(seconds: [-30, -3, 3, 30][dice(0...3)], time(30...300))),
      (1, .garbage(rows: dice(1...5))),
    ]
    let ofRedis: [(Int, Self)] = [
      (3, .redisDown(time(0.5...60), keepsData: dice(0...2) > 0)),
      (2, .redisFrozen(time(0.5...40))),
      (3, .redisCut(node: node, time(0.5...60), delivers: dice(0...1) == 0)),
      (3, .redisDropped(node: node)),
      (5, .redisBreak(node: node, [.beforeEffect, .midway, .afterEffect, .late(time(0.5...30))][dice(0...3)])),
      (1, .redisFlushed),
      (1, .redisFailover),
      (2, .redisCondition([.loading, .outOfMemory, .readOnly, .cannotSave][dice(0...3)], time(0.5...40))),
      (1, .scriptsForbidden(time(5...120))),
      (1, .scriptsForgotten),
      (5, .lockEvicted(dice(0...1000))),
      (1, .twins(node: node, time(20...120))),
    ]
    let all = isClustered ? own + ofRedis : own
    var roll = dice(0...all.reduce(0) { $0 + $1.0 } - 1)
    for (weight, kind) in all {
      roll -= weight
      if roll < 0 { return kind }
    }
    return .databaseCut
  }
}

extension Fault {
  /// Makes it happen; it ends by itself.
  func begin(in world: World) {
    guard !world.isHealed else { return }
    world.trace.note("FAULT \(kind)")
    world.checkers.calm.began(kind)
    func later(_ delay: Duration, _ body: @escaping () -> Void) {
      world.checkers.calm.disturbed(for: delay)
      world.loop.schedule(after: delay) { [unowned world] in if !world.isHealed { body() } }
    }
    /// For so long a node may not be able to renew its locks, and others take them when they lapse.
    func lockless(_ duration: Duration) { if duration > .seconds(18) { world.checkers.lenient(for: duration + .seconds(430)) } }
    switch kind {
    case .killChild(let node, let type): world.nodes[node].children[type]?.process.kill()
    case .stopChild(let node, let type, let duration):
      guard let child = world.nodes[node].children[type] else { return }
      let processes = world.nodes[node].machine.processes
      let pid = child.process.pid
      processes.signal(pid, SIGSTOP)
      lockless(duration)
      later(duration) { processes.signal(pid, SIGCONT) }
    case .ambush(let node, let type, let point): world.ambushes.append((node, type, point))
    case .killSupervisor(let node, let back):
      let node = world.nodes[node]
      node.kill()
      later(back) { node.start() }
    case .killNode(let node, let back):
      let node = world.nodes[node]
      for child in node.children.values.sorted(by: { $0.process.pid < $1.process.pid }) { child.process.kill() }
      node.kill()
      lockless(back)
      later(back) { node.start() }
    case .restart(let node):
      let node = world.nodes[node]
      node.stop()
      // systemd starts it when it has ended.
      func again() { later(.seconds(1)) { if node.isUp { again() } else { node.start() } } }
      again()
    case .freezeNode(let node, let duration):
      let node = world.nodes[node]
      node.isFrozen = true
      lockless(duration)
      later(duration) { node.isFrozen = false }
    case .reload(let node): world.nodes[node].reload()
    case .workers(let node, let count):
      world.nodes[node].settings[.poller].workers = count
      world.nodes[node].reload()
    case .switchType(let node, let type):
      let node = world.nodes[node]
      node.settings[type].enabled.toggle()
      node.reload()
      later(.seconds(60)) {
        node.settings[type].enabled.toggle()
        node.reload()
      }
    case .forksRefused(let node, let duration):
      let machine = world.nodes[node].machine
      machine.refusesForks = true
      later(duration) { machine.refusesForks = false }
    case .clockStep(let node, let seconds, let duration):
      let wall = world.nodes[node].wall
      let before = wall.value
      wall.value = before + .seconds(seconds)
      world.checkers.lenient(for: duration + .seconds(abs(seconds) + 120))
      later(duration) { wall.value = before }
    case .databaseDown(let duration):
      world.database.goDown()
      later(duration) { world.database.comeUp() }
    case .databaseSilent(let duration):
      world.database.freeze()
      later(duration) { world.database.thaw() }
    case .databaseCut: world.database.cutConnections()
    case .databaseReadOnly(let duration):
      world.database.isReadOnly = true
      later(duration) { world.database.isReadOnly = false }
    case .databaseTransient(let share, let duration):
      world.database.transientErrors = share
      later(duration) { world.database.transientErrors = 0 }
    case .databaseClock(let seconds, let duration):
      world.database.clockOffset = .seconds(seconds)
      world.checkers.lenient(for: duration + .seconds(120))
      later(duration) { world.database.clockOffset = .zero }
    case .garbage(let rows):
      var generator = SeededGenerator(seed: world.scenario.seed &+ UInt64(at.nanoseconds))
      world.checkers.lenient(for: .seconds(600))
      world.database.addGarbage(rows, using: &generator)
      // The smallest period of all nodes decides about the look under the lock: a second of an admin's counts as one until it is mended.
      later(.seconds(300)) {
        for place in world.database.tables.cluster.indices { world.database.tables.cluster[place].pollerFrequency = nil }
      }
    default:
      beginOfPlaces(in: world, later)
      beginOfRedis(in: world, later, lockless)
    }
  }

  private func beginOfRedis(in world: World, _ later: (Duration, @escaping () -> Void) -> Void, _ lockless: (Duration) -> Void) {
    let redis = world.redis
    switch kind {
    case .redisDown(let duration, let keepsData):
      redis.stop()
      lockless(duration)
      if !keepsData { world.checkers.lenient(for: .seconds(90)) }
      later(duration) { if !redis.isRunning { redis.start(keepingData: keepsData) } }
    case .redisFrozen(let duration):
      redis.freeze()
      lockless(duration)
      later(duration) { redis.thaw() }
    case .redisCut(let node, let duration, let delivers):
      lockless(duration)
      for child in world.nodes[node].children.values.sorted(by: { $0.process.pid < $1.process.pid }) {
        child.path.cut()
        later(duration) { child.path.heal(delivering: delivers) }
      }
    case .redisDropped(let node):
      for child in world.nodes[node].children.values.sorted(by: { $0.process.pid < $1.process.pid }) { child.path.dropConnections() }
    case .redisBreak(let node, let kind): world.nodes[node].children[.poller]?.path.breakNextPacket(kind)
    case .redisFlushed:
      // Between it and the next renewal a lock is not there.
      redis.flush()
      world.checkers.lenient(for: .seconds(90))
    case .redisFailover:
      guard redis.isRunning else { return }
      redis.failOver()
      world.checkers.lenient(for: .seconds(90))
    case .redisCondition(let condition, let duration):
      redis.condition = condition
      lockless(duration)
      later(duration) { redis.condition = .well }
    case .scriptsForbidden(let duration):
      redis.forbidsScripts = true
      world.checkers.lenient(for: duration + .seconds(90))
      later(duration) { redis.forbidsScripts = false }
    case .scriptsForgotten: redis.forgetScripts()
    case .lockEvicted(let place):
      let locks = redis.keys.filter { $0.hasPrefix("librenms.lock:") && !$0.contains("master") }.sorted()
      guard !locks.isEmpty else { return }
      // Another node may take it before its owner has noticed.
      world.checkers.lenient(for: .seconds(90))
      redis.evict(locks[place % locks.count])
    default: break
    }
  }
}
