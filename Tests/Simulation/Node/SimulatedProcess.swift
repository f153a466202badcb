import Core

/// A process as a value: a loop of its own on the clock of its world, until it is killed or ends.
///
/// A process that is stopped does not turn; what is posted to it waits in its loop. Nothing that is posted to a dead one is carried out.
public final class SimulatedProcess {
  public let name: String
  public let pid: Int32
  public let loop: EventLoop
  public private(set) var isAlive = true
  /// SIGSTOP, or the whole machine stands still.
  public var isStopped = false
  /// Called once, at the instant of its death, for whatever else has to know.
  public var onDeath: [(ExitStatus) -> Void] = []
  /// Keeps what runs in it, and lets it go at its end.
  public var contents: [AnyObject] = []

  /// `loop`: over the world's poller, with dice of its own.
  init(name: String, pid: Int32, loop: EventLoop) {
    self.name = name
    self.pid = pid
    self.loop = loop
  }

  /// Does something on its loop, in the order of the posts, unless it is dead by then.
  public func post(after delay: Duration = .zero, _ body: @escaping () -> Void) {
    guard isAlive else { return }
    loop.schedule(after: delay) { [weak self] in
      if self?.isAlive ?? false { body() }
    }
  }

  /// Ends at this instruction: what its code still does in this turn has no effect outside of it.
  public func die(_ status: ExitStatus) {
    guard isAlive else { return }
    isAlive = false
    loop.stop()
    let calls = onDeath
    onDeath = []
    for call in calls { call(status) }
  }
}
