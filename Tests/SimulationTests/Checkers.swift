import Core
import Glibc
import JobKit
import Logging
import Simulation

/// The promises of the dispatcher, held against what the world sees. The first violation ends the world.
final class Checkers {
  private struct Run {
    var node: String
    var startedAt: MonotonicTime
    var endedAt: MonotonicTime?
    var succeeded = false
    var wallEnd: Duration?
    /// What it did is in the database.
    var isStored = true
    /// The child that knew of it.
    var child: Int32
    var hold = Duration.zero
  }

  private let scenario: Scenario
  weak var world: World?
  private(set) var violation: String?
  private var running: [String: [Int32: Run]] = [:]
  private var last: [String: Run] = [:]
  private var ticks: [String: (window: Int64, tokens: Int)] = [:]
  private(set) var runs = 0
  private(set) var loudLines = 0
  /// Each of them is worth a line.
  private var failures = 0
  private var healedAt: MonotonicTime?
  private var polledSince: Set<Int64> = []
  /// By the names of their jobs.
  private var wanted: Set<String> = []
  /// Times at which a lock may be lost without a fault of ours, until when.
  private var lenientUntil = MonotonicTime(nanoseconds: 0)
  private(set) lazy var calm = CalmCheckers(scenario, self)

  init(_ scenario: Scenario) { self.scenario = scenario }

  func violated(_ text: @autoclosure () -> String) {
    guard violation == nil else { return }
    let text = text()
    violation = text
    world?.trace.note("VIOLATION: \(text)")
  }

  /// The servers forget, or a node can't reach them for longer than a lock lives: two may work on one device for so long.
  func lenient(for duration: Duration) {
    guard let world else { return }
    lenientUntil = max(lenientUntil, world.clock.now + duration)
  }

  func healed() {
    healedAt = world?.clock.now
    calm.healed()
    polledSince = []
  }

  // MARK: Scripts

  /// A job for the reader, and under what its runs are kept: maintenance is each node's own.
  private static func names(_ script: SimulatedScript, _ node: String) -> (key: String, name: String) {
    let key = "\(script.type.rawValue) \(script.payload)"
    return (key, script.type == .maintenance ? "\(node) \(key)" : key)
  }

  func started(_ node: String, _ script: SimulatedScript, at now: MonotonicTime) {
    runs += 1
    let (key, name) = Self.names(script, node)
    let others = running[name] ?? [:]
    // Whatever the servers have lost: a child knows its own jobs.
    if others.values.contains(where: { $0.child == script.parentPid && $0.node == node }) {
      violated("\(key) is begun on \(node) by the child that runs it already")
    }
    if let since = world?.stoppingSince, now - since > .seconds(2) {
      violated("\(key) is begun on \(node) \(seconds(now - since)) s after its service was asked to stop")
    }
    let isWanted = wanted.remove(key) != nil
    if !isWanted { checkHold(key, node, at: now) }
    if now >= lenientUntil, let (_, other) = others.min(by: { $0.key < $1.key }) {
      violated("\(key) is begun on \(node) while it runs on \(other.node) since \(seconds(now - other.startedAt)) s")
    }
    if script.type == .poller, !isWanted { checkPeriod(key, node, child: script.parentPid, at: now) }
    checkTick(key, node, script, at: now)
    calm.started(key, node, script, at: now)
    running[name, default: [:]][script.identity.pid] = Run(node: node, startedAt: now, child: script.parentPid)
    if script.type == .poller, let id = Int64(script.payload) { polledSince.insert(id) }
  }

  /// What has failed is held for a while, and a device that is down for its own time.
  private func checkHold(_ key: String, _ node: String, at now: MonotonicTime) {
    guard now >= lenientUntil, let before = last[key], let end = before.endedAt, before.hold > now - end else { return }
    violated("\(key) is begun on \(node) \(seconds(now - end)) s after its failure on \(before.node), held for \(seconds(before.hold)) s")
  }

  /// Scripts that are over their limit are ended; called now and then.
  func checkLimits(_ machine: SimulatedMachine, at now: MonotonicTime) {
    for script in machine.running {
      guard let deadline = script.deadline, now - deadline > .seconds(120) else { continue }
      violated("\(script.type.rawValue) \(script.payload) on \(machine.name) runs \(seconds(now - deadline)) s over its limit")
    }
  }

  /// What has done its work is not begun again within half of its period.
  private func checkPeriod(_ key: String, _ node: String, child: Int32, at now: MonotonicTime) {
    guard now >= lenientUntil, let before = last[key], before.succeeded, let period = scenario.period(of: key) else { return }
    // What neither the database nor a living child knows of is known to nobody: a child's own clock ends with it.
    guard before.isStored || before.child == child && before.node == node else { return }
    let gap = now - before.startedAt
    if gap < period / 2 {
      violated("\(key) is begun on \(node) \(seconds(gap)) s after its last run on \(before.node), of a period of \(seconds(period)) s")
    }
  }

  /// Each tick once: a start takes one, and a boundary brings one, never more than one at hand. A run that had to wait for its predecessor comes
  /// after the next boundary, so there may be two then. Ticks of a Python leader are remembered by nobody.
  private func checkTick(_ key: String, _ node: String, _ script: SimulatedScript, at now: MonotonicTime) {
    guard scenario.pythonNode == nil, script.type != .poller, script.type != .discovery, let period = scenario.period(of: key), let world
    else { return }
    let window = Int64(world.loop.wall.inSeconds / period.inSeconds)
    var bucket = ticks[key] ?? (window, 2)
    let mayWait = script.type == .services || last[key].map { Int64(($0.wallEnd ?? .zero).inSeconds / period.inSeconds) >= window } ?? true
    bucket.tokens = min(mayWait ? 2 : 1, bucket.tokens + Int(window - bucket.window))
    bucket.window = window
    bucket.tokens -= 1
    if bucket.tokens < 0 {
      if now >= lenientUntil { violated("\(key) is begun on \(node) twice for one tick of \(seconds(period)) s") }
      bucket.tokens = 0
    }
    ticks[key] = bucket
  }

  func ended(_ node: String, _ script: SimulatedScript, _ status: ExitStatus, signal: Int32?, at now: MonotonicTime) {
    let (key, name) = Self.names(script, node)
    var run =
      running[name]?.removeValue(forKey: script.identity.pid) ?? Run(node: node, startedAt: script.startedAt, child: script.parentPid)
    run.endedAt = now
    run.wallEnd = world?.loop.wall
    run.isStored = world?.database.takesWrites ?? true
    run.succeeded = status == .exited(0)
    if !run.succeeded { failures += 1 }
    calm.ended(key, node, script, succeeded: run.succeeded, at: now)
    // Whose supervisor was killed is init's, also when the next one is there: how it ended is known to nobody, so the device is free when its
    // child knows of the end.
    let isSeen = world?.nodes.first { $0.machine.name == node }?.machine.processes.parent(of: script.identity.pid) ?? 1 > 1
    run.hold = isSeen ? hold(script.type, status, signal: signal) : .zero
    last[name] = run
    if let signal, script.deadline.map({ now < $0 }) ?? true {
      violated("\(key) on \(node) was ended by signal \(signal) before its limit")
    }
  }

  /// A second less than what the contract says of an end that was seen.
  private func hold(_ type: TaskType, _ status: ExitStatus, signal: Int32?) -> Duration {
    guard signal == nil, type == .poller || type == .discovery else { return .zero }
    switch status {
    case .exited(0): return .zero
    case .exited(6): return scenario.downRetry - .seconds(1)
    default: return .seconds(9)
    }
  }

  /// Somebody wants this one now, whatever its period and its last failure say.
  func asked(_ type: TaskType, _ id: Int64) { wanted.insert("\(type.rawValue) \(id)") }

  func pythonPolled(_ id: Int64) { polledSince.insert(id) }

  // MARK: Words

  func said(_ name: String, _ level: Logger.Level, _ text: String) {
    guard level >= .warning else { return }
    loudLines += 1
    if text.contains("is not understood") || text.contains("the child is killed: it sent") { violated("\(name) says: \(text)") }
    if level == .critical, text.contains("job table was taken over") { violated("\(name) says: \(text)") }
  }

  // MARK: After the faults

  func checkAllPolled() {
    guard let world else { return }
    let now = world.clock.now
    let missing = world.database.tables.devices.filter { !$0.isDisabled && !polledSince.contains($0.id) }
    if let first = missing.first {
      violated(
        "\(missing.count) devices were not polled within \(seconds(now - (healedAt ?? now))) s after the last fault, \(first.id) of group \(first.group) for one"
      )
    }
    let limit = 60 + 2 * failures + 60 * scenario.activeFaults.count * max(1, scenario.nodes.count)
    if loudLines > limit { violated("\(loudLines) lines of warnings and errors for \(scenario.activeFaults.count) faults") }
  }

  /// All services were stopped: nothing of them is left.
  func checkRest() {
    guard let world else { return }
    for node in world.nodes {
      if node.isUp { return violated("\(node.machine.name) does not end within \(seconds(Scenario.stopTime)) s") }
      if node.exitCode != 0 { return violated("\(node.machine.name) ends with \(node.exitCode.map { "\($0)" } ?? "nothing")") }
      if let script = node.machine.running.first {
        return violated("\(node.machine.name) has ended, and \(script.type.rawValue) \(script.payload) runs")
      }
      for type in TaskType.allCases {
        guard let table = node.machine.table(type) else { continue }
        for slot in 0..<table.slotCount where table.word(slot).state != .free {
          return violated(
            "\(node.machine.name) has ended, and slot \(slot) of \(type.rawValue) is \(table.word(slot).state.map { "\($0)" } ?? "of an unknown state")"
          )
        }
      }
      if node.machine.processes.zombieCount > 0 {
        return violated("\(node.machine.name) leaves \(node.machine.processes.zombieCount) zombies")
      }
    }
    for key in world.redis.keys.sorted() {
      if key.hasPrefix("librenms.inflight:"), let note = world.redis.fields(key).first {
        return violated("a note is left in \(key): \(note)")
      }
      guard key.hasPrefix("librenms.lock:"), let left = world.redis.timeLeft(key) else { continue }
      // Holds of failed devices live on.
      if left > scenario.longestHold { return violated("\(key) is left for \(seconds(left)) s: \(world.redis.text(key) ?? "")") }
    }
  }

  private func seconds(_ duration: Duration) -> String { "\((duration.inSeconds * 10).rounded() / 10)" }
}
