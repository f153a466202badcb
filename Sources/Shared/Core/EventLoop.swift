import CLinuxShims
import Glibc

/// What a descriptor is ready for.
public struct Readiness: OptionSet, Sendable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  public static let readable = Readiness(rawValue: UInt32(SHIM_READABLE))
  public static let writable = Readiness(rawValue: UInt32(SHIM_WRITABLE))
  /// Always reported, never asked for.
  public static let failed = Readiness(rawValue: UInt32(SHIM_ERROR) | UInt32(SHIM_HANGUP))
}

/// One thread's wait for descriptors and timers. Everything of a process that decides runs here, so nothing here may block.
///
/// The loop keeps no descriptor open: its caller owns what it watches, and calls `unwatch` before closing it.
public final class EventLoop {
  public typealias Handler = (Readiness) -> Void

  private let epoll: Int32
  private var handlers: [Int32: (generation: UInt64, handler: Handler)] = [:]
  private var generation: UInt64 = 0
  private var timers = TimerQueue<() -> Void>()
  private var stopped = false
  private var deferred: [() -> Void] = []

  /// Throws `SystemError` when the kernel refuses another epoll descriptor.
  public init() throws {
    epoll = try SystemError.check(shim_epoll_create(), "epoll_create1")
  }

  deinit { close(epoll) }

  public func watch(_ fd: Int32, for readiness: Readiness, _ handler: @escaping Handler) throws(SystemError) {
    try SystemError.check(shim_epoll_add(epoll, fd, readiness.rawValue), "epoll_ctl add")
    generation += 1
    handlers[fd] = (generation, handler)
  }

  public func change(_ fd: Int32, to readiness: Readiness) {
    _ = shim_epoll_modify(epoll, fd, readiness.rawValue)
  }

  public func unwatch(_ fd: Int32) {
    if handlers.removeValue(forKey: fd) != nil { _ = shim_epoll_remove(epoll, fd) }
  }

  @discardableResult
  public func schedule(after delay: Duration, _ body: @escaping () -> Void) -> TimerToken {
    timers.set(at: .now + delay, body)
  }

  @discardableResult
  public func schedule(at due: MonotonicTime, _ body: @escaping () -> Void) -> TimerToken {
    timers.set(at: due, body)
  }

  public func cancel(_ token: TimerToken) { timers.cancel(token) }

  /// Calls `body` after the handlers of this turn.
  public func afterTurn(_ body: @escaping () -> Void) { deferred.append(body) }

  public func stop() { stopped = true }

  /// `stop` was called: this turn is the last one.
  public var isStopped: Bool { stopped }

  /// Turns until `stop`. Throws only when epoll itself fails, which means a broken process.
  public func run() throws(SystemError) {
    stopped = false
    while !stopped { try turn() }
  }

  /// One wait and everything that it woke. `limit` bounds the wait.
  public func turn(limit: Duration? = nil) throws(SystemError) {
    var timeout: Int64 = limit?.nanoseconds ?? -1
    if !deferred.isEmpty {
      timeout = 0
    } else if let due = timers.nextDue() {
      let wait = max(0, (due - .now).nanoseconds)
      timeout = timeout < 0 ? wait : min(timeout, wait)
    }
    let current = generation
    try withUnsafeTemporaryAllocation(of: shim_event.self, capacity: 64) { (events) throws(SystemError) in
      guard let base = events.baseAddress else { return }
      let count = try SystemError.check(shim_epoll_wait(epoll, base, 64, timeout), "epoll_wait")
      for index in 0..<Int(count) {
        // A handler earlier in this turn may have closed the descriptor, and its number may be another's by now.
        guard let entry = handlers[events[index].fd], entry.generation <= current else { continue }
        entry.handler(Readiness(rawValue: events[index].events))
        if stopped { return }
      }
    }
    let now = MonotonicTime.now
    while !stopped, let body = timers.popDue(at: now) { body() }
    let bodies = deferred
    deferred.removeAll()
    for body in bodies { body() }
  }
}
