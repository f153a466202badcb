import Core
import Logging
import Redis
import Simulation

@testable import JobKit

/// Several nodes' coordinators and one Redis on one loop in virtual time: what takes minutes takes milliseconds, and no clock runs by itself.
final class SimulatedScene {
  let poller = SimulatedPoller()
  let loop: EventLoop
  let server: SimulatedRedis
  private(set) var nodes: [Node] = []

  init(seed: UInt64 = 1) {
    loop = EventLoop(poller: poller, generator: SeededGenerator(seed: seed))
    server = SimulatedRedis(loop: loop)
  }

  /// One child of one node: the product's coordinator on the product's link.
  final class Node {
    static let slots = 4

    let path: SimulatedRedisPath
    let link: RedisLink
    let coordinator: RedisCoordinator
    let uuid: String
    let lines = LogLines()
    private let owner: String

    init(_ number: Int, _ scene: SimulatedScene, ttl: Duration) {
      let loop = scene.loop
      uuid = "00000000-0000-8000-8000-00000000000\(number)"
      owner = "n\(number)-\(uuid)"
      path = SimulatedRedisPath(to: scene.server)
      let (lines, name) = (lines, owner)
      let log = Logger(label: "node") { _ in lines }
      link = path.makeLink(log: log)
      let node = RedisCoordinator.Node(
        link: link, names: ClusterNames(type: .poller, node: uuid), leaderName: { name }, lockPrefix: "poller.device.",
        usesGroupLocks: false, masterTtl: { .seconds(20) }, groups: { [0] }, table: UInt64(number), loop: loop)
      coordinator = RedisCoordinator(node, log: log, ttl: { ttl })
      let coordinator = self.coordinator
      link.onInvalidation = { [weak coordinator] in coordinator?.told($0) }
      link.onChange = { [weak coordinator] in coordinator?.linkChanged(up: $0) }
      link.start()
    }

    func take(_ slot: Int, _ answer: @escaping (TakeResult) -> Void) {
      coordinator.take(SlotOwner(prefix: "\(owner)-Poller_", slot: slot), answer)
    }
  }

  /// A node that is turned once a second from now on.
  func addNode(ttl: Duration = .seconds(60)) -> Node {
    let node = Node(nodes.count + 1, self, ttl: ttl)
    nodes.append(node)
    turn(node)
    return node
  }

  private func turn(_ node: Node) {
    node.coordinator.turn(at: loop.now)
    loop.schedule(after: .seconds(1)) { [weak self, weak node] in if let node { self?.turn(node) } }
  }

  /// Lets virtual time pass until the condition holds; false at the limit.
  @discardableResult
  func run(for limit: Duration, until condition: () -> Bool = { false }) -> Bool {
    let end = loop.now + limit
    while !condition() {
      guard loop.now < end else { return false }
      do { try loop.turn(limit: end - loop.now) } catch { return false }
    }
    return true
  }

  func take(_ node: Node, slot: Int = 0) -> TakeResult? {
    var result: TakeResult?
    node.take(slot) { result = $0 }
    run(for: .seconds(10)) { result != nil }
    return result
  }

  func enqueue(_ node: Node, _ payloads: [String]) -> EnqueueResult? {
    var result: EnqueueResult?
    let items = payloads.enumerated().map { QueueItem(payload: $1, group: 0, score: 1000 + Double($0)) }
    node.coordinator.enqueue(items, respectingLocks: true, tick: nil) { result = $0 }
    run(for: .seconds(10)) { result != nil }
    return result
  }
}
