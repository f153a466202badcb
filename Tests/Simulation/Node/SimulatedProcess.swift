import Core
import Glibc

/// A process of ours as a value: a loop of its own on the clock of its world, until it is killed or ends.
///
/// A process that is stopped does not turn; what is posted to it waits in its loop. Nothing that is posted to a dead one is carried out.
public final class SimulatedProcess {
  public let name: String
  public private(set) var identity = ProcessIdentity(pid: 0, startTime: 0)
  public let loop: EventLoop
  public private(set) var isAlive = true
  /// SIGSTOP.
  public private(set) var isStopped = false
  /// Signals that a process can handle; called on its loop.
  public var onSignal: (Int32) -> Void = { _ in }
  /// Called at the instant of its death, for whatever else has to know.
  public var onDeath: [() -> Void] = []
  private let processes: SimulatedProcesses

  public var pid: Int32 { identity.pid }

  /// `loop`: over the world's poller, with dice of its own.
  public init(name: String, parent: Int32, loop: EventLoop, processes: SimulatedProcesses) {
    self.name = name
    self.loop = loop
    self.processes = processes
    let own = Own()
    identity = processes.start(parent: parent) { own.process?.signalled($0) }
    own.process = self
  }

  private final class Own { weak var process: SimulatedProcess? }

  private func signalled(_ number: Int32) {
    switch number {
    case SIGKILL: died()
    case SIGSTOP: isStopped = true
    case SIGCONT: isStopped = false
    default: post { [weak self] in self?.onSignal(number) }
    }
  }

  /// Does something on its loop, in the order of the posts, unless it is dead by then.
  public func post(after delay: Duration = .zero, _ body: @escaping () -> Void) {
    guard isAlive else { return }
    loop.schedule(after: delay) { [weak self] in
      if self?.isAlive ?? false { body() }
    }
  }

  /// Ends at this instruction, by itself: what its code still does in this turn has no effect outside of it.
  public func exit(_ code: Int32) {
    guard isAlive else { return }
    processes.end(pid, .exited(code))
    died()
  }

  public func kill() { processes.signal(pid, SIGKILL) }

  private func died() {
    guard isAlive else { return }
    isAlive = false
    loop.stop()
    let calls = onDeath
    onDeath = []
    for call in calls { call() }
  }
}
