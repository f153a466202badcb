import Core
import Glibc
import Simulation

@testable import Supervisor

/// Faults of a node's files and settings, what admins change in the database, and what persons ask for.
extension Fault {
  /// A job that no table knows runs on until its end or its limit, and others may begin it meanwhile.
  private static let unknownJobs = Duration.seconds(150)

  func beginOfPlaces(in world: World, _ later: (Duration, @escaping () -> Void) -> Void) {
    let tables = world.database.tables
    switch kind {
    case .fullDirectory(let node, let duration):
      let node = world.nodes[node]
      node.machine.isFull = true
      world.checkers.lenient(for: duration + Self.unknownJobs)
      for child in node.children.values.sorted(by: { $0.process.pid < $1.process.pid }) { child.process.kill() }
      later(duration) { node.machine.isFull = false }
    case .damagedTable(let node, let type):
      let node = world.nodes[node]
      node.children[type]?.process.kill()
      world.checkers.lenient(for: Self.unknownJobs)
      node.machine.damageTable(type)
    case .resolver(let node, let mood, let duration):
      let node = world.nodes[node]
      node.resolver = mood
      node.reload()
      later(duration) {
        node.resolver = .well
        node.killHelper()
        // What was to change meanwhile was not seen.
        node.reload()
      }
    case .baseHangs(let node, let duration):
      let node = world.nodes[node]
      node.baseHangs = true
      later(duration) { node.baseHangs = false }
    case .leave(let node, let back):
      let node = world.nodes[node]
      node.stop()
      later(back) { node.start() }
    case .twins(let node, let duration):
      guard world.nodes.count > 1 else { return }
      let node = world.nodes[node]
      let other = world.nodes[(node.index + 1) % world.nodes.count]
      node.takeNames(of: other)
      // Each takes the other's locks for its own, and what it did not begin itself for that of an earlier incarnation.
      world.checkers.lenient(for: duration + .seconds(430))
      later(duration) { node.takeNames(of: nil) }
    case .onDemand(let node, let type, let first, let count):
      world.ask(node, type, (first..<first + count).map { Int64($0) })
    case .deviceAdded(let count):
      let last = tables.devices.last?.id ?? 0
      for id in last + 1...last + Int64(count) {
        world.database.tables.set(SimulatedDevice(id: id, group: world.nodes[0].settings.groups[0]))
      }
    case .deviceRemoved(let place):
      guard tables.devices.count > 4 else { return }
      world.database.tables.remove(tables.devices[place % tables.devices.count].id)
    case .deviceDisabled(let place, let duration):
      change(place, in: world) { $0.isDisabled = true }
      later(duration) { change(place, in: world) { $0.isDisabled = false } }
    case .deviceMoved(let place, let duration):
      guard let group = world.nodes[0].settings.groups.last else { return }
      change(place, in: world) { $0.group = group }
      later(duration) { change(place, in: world) { $0.group = world.nodes[0].settings.groups[0] } }
    default: break
    }
  }

  private func change(_ place: Int, in world: World, _ body: (inout SimulatedDevice) -> Void) {
    let devices = world.scenario.devices
    guard !devices.isEmpty, var row = world.database.tables[devices[place % devices.count].id] else { return }
    body(&row)
    world.database.tables.set(row)
  }
}

extension World {
  /// Longer than the supervisor waits for its child.
  private static let answerLimit = Duration.seconds(20)

  /// Somebody asks, and has to have an answer as long as the supervisor lives and runs.
  fileprivate func ask(_ index: Int, _ type: TaskType, _ devices: [Int64]) {
    let node = nodes[index]
    guard let supervisor = node.process, !node.isFrozen, !supervisor.isStopped else { return }
    var isAnswered = false
    for id in devices { checkers.asked(type, id) }
    let request = OperatorRequest(command: type == .poller ? .poll : .discover, devices: devices)
    let isAsked = node.ask(request) { [unowned self] reply in
      if isAnswered { checkers.violated("\(supervisor.name) answers a request twice: \(reply.text)") }
      isAnswered = true
      trace.note("\(supervisor.name) answers: \(reply.text) \(reply.jobs.map { "\($0.map(\.outcome))" } ?? "")")
      if reply.ok, reply.jobs?.map(\.payload) != devices.map(String.init) {
        checkers.violated("\(supervisor.name) was asked for \(devices.count) devices and answers for others")
      }
      if !reply.ok, reply.text.isEmpty { checkers.violated("\(supervisor.name) refuses without a reason") }
    }
    guard isAsked else { return }
    let frozen = node.frozenCount
    loop.schedule(after: Self.answerLimit) { [unowned self] in
      guard supervisor.isAlive, !supervisor.isStopped, node.frozenCount == frozen, !isAnswered else { return }
      checkers.violated("\(supervisor.name) did not answer within \(Self.answerLimit.inSeconds) s")
    }
  }
}
