import Core
import JobKit
import Simulation

/// A neighbour that behaves as the contract says the Python service does: it takes members of the queues with plain commands, drops those whose
/// lock is held, and leads when the master lock is free.
final class PythonNode {
  private unowned let world: World
  private let settings: Settings
  private let owner: String
  private var isRunning = false
  private var busy: [TaskType: Int] = [:]
  private var isLeader = false
  private var lastTick: [TaskType: Int64] = [:]

  init(_ world: World, _ settings: Settings) {
    self.world = world
    self.settings = settings
    owner = "\(settings.pollerName)-00000000-0000-1000-8000-000000000000"
  }

  func start() {
    isRunning = true
    turn()
  }

  func heal() { if !isRunning { start() } }

  func stop() {
    isRunning = false
    if isLeader, world.redis.text("librenms.lock:dispatch.master") == owner { world.redis.command("DEL", "librenms.lock:dispatch.master") }
    isLeader = false
  }

  private var redisIsThere: Bool { world.redis.isRunning && !world.redis.isFrozen && world.redis.condition == .well }

  private func turn() {
    guard isRunning else { return }
    if redisIsThere {
      lead()
      for type in [TaskType.poller, .discovery, .services] { while take(type) {} }
    }
    world.loop.schedule(after: .milliseconds(world.dice(900...1100))) { [weak self] in self?.turn() }
  }

  private func lead() {
    let key = "librenms.lock:dispatch.master"
    let ttl = "\(Int(settings.masterTimeout.inSeconds))"
    if world.redis.text(key) == owner {
      world.redis.command("EXPIRE", key, ttl)
      isLeader = true
    } else {
      world.redis.command("SET", key, owner, "NX", "EX", ttl)
      isLeader = world.redis.text(key) == owner
    }
    guard isLeader, world.database.takesWrites else { return }
    let now = world.loop.wall.components.seconds
    for device in world.database.tables.devices where !device.isDisabled {
      let frequency = Int64(settings[.poller].frequency.inSeconds)
      let due =
        device.lastPolled.map { Double($0) <= Double(now - (frequency - 1)) + (device.lastPolledTaken ?? 0) }
        ?? (device.lastDiscovered != nil)
      guard due, world.redis.text("librenms.lock:poller.device.\(device.id)") == nil else { continue }
      world.redis.command("ZADD", "librenms.queue:poller:\(device.group)", "NX", "\(now)", "\(device.id)")
    }
    for device in world.database.tables.devices where !device.isDisabled && device.lastDiscovered == nil {
      world.redis.command("ZADD", "librenms.queue:discovery:\(device.group)", "NX", "\(now)", "\(device.id)")
    }
    for type in [TaskType.services, .alerting, .ping] where settings[type].enabled { tick(type, now) }
  }

  private func tick(_ type: TaskType, _ now: Int64) {
    let boundary = now / Int64(settings[type].frequency.inSeconds)
    guard let last = lastTick[type] else { return lastTick[type] = boundary }
    guard boundary > last else { return }
    lastTick[type] = boundary
    switch type {
    case .services:
      for device in world.database.tables.devices where device.hasServices && !device.isDisabled {
        world.redis.command("ZADD", "librenms.queue:services:\(device.group)", "NX", "\(now)", "\(device.id)")
      }
    case .alerting: world.redis.command("ZADD", "librenms.queue:alerting:0", "NX", "\(now)", "alerts")
    default:
      for group in settings.groups { world.redis.command("ZADD", "librenms.queue:ping:\(group)", "NX", "\(now)", "") }
    }
  }

  /// True: there may be more.
  private func take(_ type: TaskType) -> Bool {
    guard busy[type, default: 0] < settings[type].workers else { return false }
    for group in settings.groups {
      let queue = "librenms.queue:\(type.rawValue):\(group)"
      guard let first = world.redis.members(queue).min(by: { ($0.score, $0.member) < ($1.score, $1.member) }) else { continue }
      world.redis.command("ZREM", queue, first.member)
      let lock = "librenms.lock:\(type.rawValue).device.\(first.member)"
      let me = "\(owner)-\(type.ownerName)_\(group)-1"
      let ttl = "\(max(1, Int(settings[type].frequency.inSeconds)))"
      world.redis.command("SET", lock, me, "NX", "EX", ttl)
      guard world.redis.text(lock) == me else { return true }
      run(type, first.member, lock, me)
      return true
    }
    return false
  }

  private func run(_ type: TaskType, _ payload: String, _ lock: String, _ me: String) {
    busy[type, default: 0] += 1
    world.trace.note("py: \(type.rawValue) \(payload) runs")
    let begun = world.clock.now
    world.checkers.calm.python(type, payload, begins: true, at: begun)
    // A device whose lock it may lose in the middle is not the dispatcher's fault.
    world.loop.schedule(after: world.scenario.duration(of: type, payload, dice: world.dice(0...999_999))) { [weak self] in
      guard let self else { return }
      busy[type, default: 0] -= 1
      world.checkers.calm.python(type, payload, begins: false, at: world.clock.now)
      if let id = Int64(payload) {
        if type == .poller { world.database.polled(id, taken: world.clock.now - begun) }
        if type == .discovery { world.database.discovered(id, taken: world.clock.now - begun) }
        if type == .poller { world.checkers.pythonPolled(id) }
      }
      if redisIsThere, world.redis.text(lock) == me { world.redis.command("DEL", lock) }
    }
  }
}
