import Core
import Logging
import Redis

@testable import JobKit

/// A node without processes: the product's own coordinator on the product's own link, and scripts that cost nothing.
final class SimulatedNode {
  private static let slots = 24

  let link: RedisLink
  let coordinator: RedisCoordinator
  private let name: String
  private var free = Array(0..<slots)
  private var filling = false
  /// What was taken and is not finished yet.
  private(set) var running: [TakenJob] = []
  private let loop: EventLoop

  init(_ number: Int, redis: RedisSettings, loop: EventLoop, period: Duration) {
    self.loop = loop
    name = "simulated\(number)-00000000-0000-8000-8000-0000000000\(number < 10 ? "0" : "")\(number)"
    let log = Logger(label: "simulated") { _ in SwiftLogNoOpLogHandler() }
    link = RedisLink(loop: loop, settings: redis, name: "simulated", availability: RedisAvailability(log: log))
    let uuid = String(name.drop { $0 != "-" }.dropFirst())
    let owner = name
    let node = RedisCoordinator.Node(
      link: link, names: ClusterNames(type: .poller, node: uuid), leaderName: { owner }, lockPrefix: "poller.device.",
      usesGroupLocks: false,
      masterTtl: { .seconds(5) }, groups: { [0] }, table: UInt64(number), loop: loop)
    coordinator = RedisCoordinator(node, log: log, ttl: { period })
    let coordinator = self.coordinator
    link.onInvalidation = { [weak coordinator] in coordinator?.told($0) }
    link.onChange = { [weak coordinator] in coordinator?.linkChanged(up: $0) }
    coordinator.onWake = { [weak self] in self?.wake() }
    link.start()
  }

  deinit { link.stop() }

  /// Each second: claims the lead like every node, and looks for work.
  func turn() {
    coordinator.turn(at: .now)
    wake()
  }

  private func wake() {
    guard !filling else { return }
    filling = true
    loop.afterTurn { [weak self] in
      self?.filling = false
      self?.fill()
    }
  }

  private func fill() {
    while coordinator.worthwhileTakes > 0, let slot = free.popLast() {
      var empty = false
      coordinator.take(SlotOwner(prefix: "\(name)-Poller_", slot: slot)) { [weak self] result in
        guard let self else { return }
        if case .job(let job) = result {
          running.append(job)
          wake()
        } else {
          free.append(slot)
          empty = true
        }
      }
      if empty { return }
    }
  }

  /// All scripts that run end now.
  func finish() {
    for job in running {
      coordinator.finish(job, hold: nil)
      free.append(job.slot)
    }
    running = []
    wake()
  }
}
