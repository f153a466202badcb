import Core
import Logging
import Redis
import RedisFixture
import Testing

import class Fixture.LogLines

@testable import JobKit

/// One child's coordinator on a real server, turned in the test's own thread once a second and whenever the test waits.
final class ClusterScene {
  let loop: EventLoop
  let link: RedisLink
  let coordinator: RedisCoordinator
  let settings: LiveSettings
  let lines = LogLines()
  private(set) var wakes = 0
  private var nextTurn = MonotonicTime.now

  /// What may change while the child runs.
  final class LiveSettings {
    var groups: [Int]
    var name: String
    var masterTtl = Duration.seconds(5)

    init(groups: [Int], name: String) {
      self.groups = groups
      self.name = name
    }
  }

  static let uuid = "00000000-0000-8000-8000-000000000001"

  init(
    _ redis: RedisSettings, groups: [Int] = [0], name: String = "n1", type: TaskType = .poller, ttl: Duration = .seconds(20),
    keepsTicks: Bool = false, mayLead: Bool = true, tracking: Bool = true, number: UInt64 = 1,
    markLifetime: Duration = .seconds(15), uuid: String = ClusterScene.uuid, speaksForNode: Bool = true
  ) throws {
    loop = try EventLoop()
    settings = LiveSettings(groups: groups, name: name)
    let (loop, settings, lines) = (loop, settings, lines)
    let log = Logger(label: "test") { _ in lines }
    link = RedisLink(loop: loop, settings: redis, name: "scene", availability: RedisAvailability(log: log))
    let node = RedisCoordinator.Node(
      link: link, names: ClusterNames(type: type, node: uuid), leaderName: { "\(settings.name)-\(uuid)" },
      lockPrefix: "\(type.rawValue).device.",
      usesGroupLocks: false, keepsTicks: keepsTicks, masterTtl: { settings.masterTtl }, groups: { settings.groups },
      table: number, markLifetime: markLifetime, speaksForNode: speaksForNode, loop: loop)
    coordinator = RedisCoordinator(node, log: log, ttl: { ttl })
    coordinator.change(mayLead: mayLead)
    let coordinator = self.coordinator
    // Without it the link asks for no tracking, as if the server had none.
    if tracking { link.onInvalidation = { [weak coordinator] in coordinator?.told($0) } }
    link.onChange = { [weak coordinator] in coordinator?.linkChanged(up: $0) }
    // A scene that is gone may still have answers on their way in the loop.
    coordinator.onWake = { [weak self] in self?.wakes += 1 }
    link.start()
  }

  deinit { link.stop() }

  /// One that leads.
  static func leading(_ server: RedisServer, withScripts: Bool) throws -> ClusterScene {
    // The leader of an empty server would wait for the other nodes.
    try server.command("SET", "librenms.memory", "before")
    let scene = try ClusterScene(try server.settings(withScripts: withScripts))
    #expect(scene.turn { scene.coordinator.leads })
    return scene
  }

  /// True as soon as the condition holds, false at the limit.
  @discardableResult
  func turn(until limit: Duration = .seconds(6), _ condition: () throws -> Bool) rethrows -> Bool {
    let end = MonotonicTime.now + limit
    while try !condition() {
      if MonotonicTime.now >= end { return false }
      do { try loop.turn(limit: .milliseconds(5)) } catch { return false }
      if MonotonicTime.now >= nextTurn {
        nextTurn = .now + .seconds(1)
        coordinator.turn(at: .now)
      }
    }
    return true
  }

  func turn(for time: Duration) { turn(until: time) { false } }

  /// The answer of a take; nil = none within seconds.
  func take(slot: Int = 0) -> TakeResult? {
    var result: TakeResult?
    coordinator.take(SlotOwner(prefix: "\(settings.name)-\(Self.uuid)-Poller_", slot: slot)) { result = $0 }
    turn { result != nil }
    return result
  }

  func enqueue(_ payloads: [String], group: Int = 0) -> EnqueueResult? {
    var result: EnqueueResult?
    let items = payloads.enumerated().map { QueueItem(payload: $1, group: group, score: 1000 + Double($0)) }
    coordinator.enqueue(items, respectingLocks: true, tick: nil) { result = $0 }
    turn { result != nil }
    return result
  }
}

typealias LogLines = Fixture.LogLines

/// One poll that waits in the queue of a server that has not forgotten anything: device 7, in group 0.
struct OneDevice {
  static let queue = "librenms.queue:poller:0"
  static let lock = "librenms.lock:poller.device.7"
  static let note = "librenms.inflight:\(ClusterScene.uuid)"

  let server: RedisServer

  init() throws {
    server = try RedisServer()
    // Whoever leads a server without it waits for the other nodes.
    try server.command("SET", "librenms.memory", "before")
    try server.command("ZADD", Self.queue, "5", "7")
  }
}

extension RedisServer {
  /// The way to the server, if need be as a user to whom the ACL forbids scripts.
  func settings(withScripts: Bool) throws -> RedisSettings {
    guard !withScripts else { return settings }
    try command("ACL", "SETUSER", "limited", "on", ">secret", "~librenms.*", "&*", "+@all", "-@scripting")
    var settings = settings
    settings.user = "limited"
    settings.password = "secret"
    return settings
  }
}
