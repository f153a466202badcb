import Core
import Glibc
import Simulation

@testable import Supervisor

/// A child of a simulated supervisor: a few lines of behaviour on the loop, with a process of the simulated machine.
final class ScriptedChild {
  enum Behaviour: Equatable {
    /// Ready, and a beat each second.
    case beats
    /// Ready, and never heard of again.
    case silent
    /// Ends before its hello.
    case exits(Int32)
    /// Something that no child says, after its hello.
    case nonsense
    case rejects(String)
  }

  let type: TaskType
  let process: ProcessIdentity
  private let behaviour: Behaviour
  private let loop: EventLoop
  private let processes: SimulatedProcesses
  private let port: SimulatedChildPort
  private var beat: UInt64 = 0
  private var isReady = false
  /// What the supervisor said.
  private(set) var received: [Downward] = []
  var heartbeat = Heartbeat()

  init(
    _ type: TaskType, _ behaviour: Behaviour, process: ProcessIdentity, port: SimulatedChildPort, loop: EventLoop,
    processes: SimulatedProcesses
  ) {
    self.type = type
    self.behaviour = behaviour
    self.process = process
    self.port = port
    self.loop = loop
    self.processes = processes
    heartbeat.slots = 4
    port.onMessage = { [weak self] in self?.receive($0) }
    // The supervisor is gone.
    port.onClose = { [weak self] _ in self?.exit(0) }
    loop.schedule(after: .milliseconds(3)) { [weak self] in self?.hello() }
  }

  private var isAlive: Bool { processes.isAlive(process) }

  private func hello() {
    guard isAlive else { return }
    if case .exits(let code) = behaviour { return exit(code) }
    port.send(.hello(wire: wireVersion, type: type, pid: process.pid, version: "scripted"))
    if behaviour == .nonsense { port.send(raw: .garbage("a malformed 'heartbeat'")) }
  }

  private func receive(_ message: Downward) {
    guard isAlive else { return }
    received.append(message)
    switch message {
    case .configure(let epoch, _, _):
      if case .rejects(let why) = behaviour, isReady { return _ = port.send(.configRejected(epoch: epoch, reason: why)) }
      port.send(.ready(epoch: epoch))
      if !isReady { turn() }
      isReady = true
    case .drain: exit(0)
    case .enqueue(let number, let payloads):
      port.send(.enqueued(number: number, results: payloads.map { OnDemandResult(payload: $0, outcome: .queued(group: nil)) }))
    case .reaped, .listLocks, .move, .heartbeats: break
    }
  }

  private func turn() {
    guard isAlive, behaviour != .silent else { return }
    loop.schedule(after: .seconds(1)) { [weak self] in self?.turn() }
    // One that is stopped goes on where it was.
    guard !processes.isStopped(process.pid) else { return }
    beat += 1
    heartbeat.beat = beat
    heartbeat.lastDispatch = loop.now
    port.send(.heartbeat(heartbeat))
  }

  func signalled(_ number: Int32) {
    switch number {
    case SIGKILL: port.close()
    case SIGSTOP: port.isFrozen = true
    case SIGCONT: port.isFrozen = false
    default: break
    }
  }

  private func exit(_ code: Int32) {
    port.close()
    processes.end(process.pid, .exited(code))
  }
}
