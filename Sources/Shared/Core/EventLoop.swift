/// One thread's wait for descriptors and timers. Everything of a process that decides runs here, so nothing here may block, and everything that
/// differs from run to run comes from here: the clocks and the dice.
///
/// The loop keeps no descriptor open: its caller owns what it watches, and calls `unwatch` before closing it.
public final class EventLoop {
  public typealias Handler = (Readiness) -> Void

  private let poller: any Poller
  private var generator: any RandomNumberGenerator
  private var handlers: [Int32: (generation: UInt64, handler: Handler)] = [:]
  private var generation: UInt64 = 0
  private var timers = TimerQueue<() -> Void>()
  private var stopped = false
  private var deferred: [() -> Void] = []

  /// A loop on the kernel's clocks and descriptors. Throws `SystemError` when the kernel refuses another epoll descriptor.
  public convenience init() throws {
    self.init(poller: try EpollPoller(), generator: SystemRandomNumberGenerator())
  }

  public init(poller: any Poller, generator: any RandomNumberGenerator) {
    self.poller = poller
    self.generator = generator
  }

  // MARK: Clocks and dice

  /// The clock of all timers: CLOCK_BOOTTIME, or the simulation's.
  public var now: MonotonicTime { poller.now }

  /// The wall clock as a duration since the epoch. Used where LibreNMS aligns to it, and nowhere else: it jumps.
  public var wall: Duration { poller.wall }

  public func random(in range: ClosedRange<Double>) -> Double {
    var dice = Dice(loop: self)
    return .random(in: range, using: &dice)
  }

  public func random(in range: ClosedRange<Int>) -> Int {
    var dice = Dice(loop: self)
    return .random(in: range, using: &dice)
  }

  /// The generator as one type, for which the compiler writes the arithmetic out.
  private struct Dice: RandomNumberGenerator {
    let loop: EventLoop

    func next() -> UInt64 { loop.generator.next() }
  }

  // MARK: Descriptors and timers

  public func watch(_ fd: Int32, for readiness: Readiness, _ handler: @escaping Handler) throws(SystemError) {
    try poller.add(fd, readiness)
    generation += 1
    handlers[fd] = (generation, handler)
  }

  public func change(_ fd: Int32, to readiness: Readiness) { poller.change(fd, to: readiness) }

  public func unwatch(_ fd: Int32) {
    if handlers.removeValue(forKey: fd) != nil { poller.remove(fd) }
  }

  @discardableResult
  public func schedule(after delay: Duration, _ body: @escaping () -> Void) -> TimerToken {
    timers.set(at: now + delay, body)
  }

  @discardableResult
  public func schedule(at due: MonotonicTime, _ body: @escaping () -> Void) -> TimerToken {
    timers.set(at: due, body)
  }

  public func cancel(_ token: TimerToken) {
    // Ends when the queue is done with: it may hold the last reference to something that cancels timers.
    let body = timers.cancel(token)
    withExtendedLifetime(body) {}
  }

  /// Calls `body` after the handlers of this turn.
  public func afterTurn(_ body: @escaping () -> Void) { deferred.append(body) }

  // MARK: Turning

  /// When the next turn has work that needs no descriptor: now, a timer's time, or nil = never. For a simulation that turns many loops.
  public var nextWork: MonotonicTime? { deferred.isEmpty ? timers.nextDue : now }

  /// Timers that are set: in a simulation, whether they grow without bound.
  public var timerCount: Int { timers.count }

  public func stop() { stopped = true }

  /// `stop` was called: this turn is the last one.
  public var isStopped: Bool { stopped }

  /// Turns until `stop`. Throws only when waiting itself fails, which means a broken process.
  public func run() throws(SystemError) {
    stopped = false
    while !stopped { try turn() }
  }

  /// One wait and everything that it woke. `limit` bounds the wait.
  public func turn(limit: Duration? = nil) throws(SystemError) {
    var deadline = limit.map { now + $0 }
    if !deferred.isEmpty {
      deadline = now
    } else if let due = timers.nextDue {
      deadline = deadline.map { min($0, due) } ?? due
    }
    let current = generation
    try poller.wait(until: deadline) { fd, readiness in
      // A handler earlier in this turn may have closed the descriptor, and its number may be another's by now.
      guard let entry = handlers[fd], entry.generation <= current else { return true }
      entry.handler(readiness)
      return !stopped
    }
    turnTimers()
  }

  /// A turn that waits for nothing: the timers that are due, and what comes after a turn. For a simulation, which has no descriptors.
  public func turnTimers() {
    let time = now
    while !stopped, let body = timers.popDue(at: time) { body() }
    guard !deferred.isEmpty else { return }
    let bodies = deferred
    deferred.removeAll()
    for body in bodies { body() }
  }
}
