import Core
import Redis
import Simulation
import Testing

@testable import JobKit

/// Three nodes that work off what their leader queues, while whatever a generator draws befalls the server and the network. When all is healed,
/// everything is worked off again and nothing is left lying about.
@Suite struct SimulatedLivenessTests {
  /// A node that starts what it takes; scripts are timers.
  private final class Worker {
    let node: SimulatedScene.Node
    private let scene: SimulatedScene
    private var free = Array(0..<SimulatedScene.Node.slots)
    private(set) var done = 0
    private var filling = false

    init(_ node: SimulatedScene.Node, _ scene: SimulatedScene) {
      self.node = node
      self.scene = scene
      node.coordinator.onWake = { [weak self] in self?.wake() }
    }

    var isIdle: Bool { free.count == SimulatedScene.Node.slots }

    func wake() {
      guard !filling else { return }
      filling = true
      scene.loop.afterTurn { [weak self] in
        self?.filling = false
        self?.fill()
      }
    }

    private func fill() {
      while node.coordinator.worthwhileTakes > 0, let slot = free.popLast() {
        var isEmpty = false
        node.take(slot) { [weak self] result in
          if case .job(let job) = result {
            self?.run(job)
          } else {
            self?.free.append(slot)
            isEmpty = true
          }
        }
        if isEmpty { return }
      }
    }

    private func run(_ job: TakenJob) {
      let loop = scene.loop
      loop.schedule(after: .milliseconds(loop.random(in: 50...8000))) { [weak self] in
        guard let self else { return }
        done += 1
        node.coordinator.finish(job, hold: loop.random(in: 0...9) == 0 ? .seconds(20) : nil)
        free.append(job.slot)
        wake()
      }
      wake()
    }
  }

  private func befall(_ scene: SimulatedScene, _ dice: inout SeededGenerator) {
    let server = scene.server
    let path = scene.nodes[Int.random(in: 0..<scene.nodes.count, using: &dice)].path
    let time = Duration.milliseconds(Int.random(in: 1...12_000, using: &dice))
    let after = { (body: @escaping () -> Void) in _ = scene.loop.schedule(after: time, body) }
    switch Int.random(in: 0..<18, using: &dice) {
    case 0, 1: path.breakNextPacket(.beforeEffect)
    case 2, 3: path.breakNextPacket(.afterEffect)
    case 4: path.breakNextPacket(.midway)
    case 5, 6: path.breakNextPacket(.late(time))
    case 7:
      path.cut()
      let isDelivered = Bool.random(using: &dice)
      after { path.heal(delivering: isDelivered) }
    case 8: path.dropConnections()
    case 9:
      server.stop()
      let keeps = Bool.random(using: &dice)
      after { server.start(keepingData: keeps) }
    case 10:
      server.freeze()
      after { server.thaw() }
    case 11: server.flush()
    case 12: server.failOver()
    case 13:
      let keys = server.keys
      if !keys.isEmpty { server.evict(keys[Int.random(in: 0..<keys.count, using: &dice)]) }
    case 14:
      server.condition = [.outOfMemory, .readOnly, .cannotSave, .loading][Int.random(in: 0..<4, using: &dice)]
      after { server.condition = .well }
    case 15: server.forgetScripts()
    case 16:
      server.forbidsScripts.toggle()
      server.dropAll()
    default: server.forbidsTracking.toggle()
    }
  }

  @Test(arguments: UInt64(1)...25) func afterAnyFaultsEverythingIsWorkedOff(seed: UInt64) {
    let scene = SimulatedScene(seed: seed)
    scene.server.keepReplica(behind: .milliseconds(300))
    let workers = (0..<3).map { _ in Worker(scene.addNode(ttl: .seconds(60)), scene) }
    let devices = (1...30).map { QueueItem(payload: "\($0)", group: 0, score: 1_750_000_000 + Double($0) / 7) }
    var (isQueueing, second) = (true, 0)
    func tick() {
      second += 1
      for worker in workers {
        worker.wake()
        let coordinator = worker.node.coordinator
        if isQueueing, second % 10 == 0, coordinator.leads { coordinator.enqueue(devices, respectingLocks: true) }
      }
      scene.loop.schedule(after: .seconds(1)) { tick() }
    }
    tick()

    var dice = SeededGenerator(seed: seed)
    for _ in 0..<40 {
      befall(scene, &dice)
      scene.run(for: .milliseconds(Int.random(in: 1...15_000, using: &dice)))
    }
    // All that lasts ends by itself within 12 s.
    scene.server.forbidsScripts = false
    scene.server.forbidsTracking = false
    scene.run(for: .seconds(13))
    scene.server.dropAll()
    scene.run(for: .seconds(30))
    let doneBefore = workers.reduce(0) { $0 + $1.done }
    scene.run(for: .seconds(120))
    #expect(workers.allSatisfy { $0.node.link.isUp && $0.node.coordinator.reconciled && $0.node.link.isTracking })
    #expect(workers.filter { $0.node.coordinator.leads }.count == 1)
    #expect(workers.reduce(0) { $0 + $1.done } >= doneBefore + 90, "30 devices every 10 s, each of at most 8 s, in 12 slots")

    isQueueing = false
    scene.run(for: .seconds(90))
    #expect(workers.allSatisfy { $0.isIdle })
    #expect(scene.server.members("librenms.queue:poller:0").isEmpty)
    let left = scene.server.keys.filter { $0.hasPrefix("librenms.lock:poller") || $0.hasPrefix("librenms.inflight") }
    #expect(left.isEmpty)
  }
}
