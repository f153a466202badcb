/// What a descriptor is ready for.
public struct Readiness: OptionSet, Sendable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  // The values of epoll(7), which `EpollPoller` passes on.
  public static let readable = Readiness(rawValue: 0x001)
  public static let writable = Readiness(rawValue: 0x004)
  /// Always reported, never asked for.
  public static let failed = Readiness(rawValue: 0x008 | 0x010)
}

/// The world outside of an event loop: descriptors that become ready, and the clocks. Linux's epoll, or a simulation in which waiting is a
/// jump of the clock.
public protocol Poller: AnyObject {
  /// Monotonic, the time of all timers.
  var now: MonotonicTime { get }
  /// The wall clock as a duration since the epoch; it may jump.
  var wall: Duration { get }

  /// Throws `SystemError` when the descriptor can't be watched.
  func add(_ fd: Int32, _ readiness: Readiness) throws(SystemError)
  func change(_ fd: Int32, to readiness: Readiness)
  func remove(_ fd: Int32)

  /// Waits for a descriptor, at most until the deadline (nil = without limit), and reports what is ready; `ready` returns false when it wants
  /// to hear of no more. May return early and empty. Throws `SystemError` only when waiting itself is broken.
  func wait(until deadline: MonotonicTime?, _ ready: (Int32, Readiness) -> Bool) throws(SystemError)
}
