import Core

/// A world without a kernel: waiting is a jump of the clock, and a descriptor is ready when the test says so.
///
/// Timers, the order of events and the work after a turn are the product's own loop.
public final class SimulatedPoller: Poller {
  public private(set) var now: MonotonicTime
  /// How far the wall clock is ahead of the monotonic one; a test steps the clock by changing it.
  public var wallOffset: Duration
  private var watched: [Int32: Readiness] = [:]
  private var ready: [(fd: Int32, readiness: Readiness)] = []

  /// `wall`: what the wall clock shows at the start, as a duration since the epoch.
  public init(now: MonotonicTime = MonotonicTime(nanoseconds: 1_000_000_000), wall: Duration = .seconds(1_750_000_000)) {
    self.now = now
    wallOffset = wall - .nanoseconds(now.nanoseconds)
  }

  public var wall: Duration { .nanoseconds(now.nanoseconds) + wallOffset }

  public func add(_ fd: Int32, _ readiness: Readiness) throws(SystemError) {
    guard watched[fd] == nil else { throw SystemError("watch \(fd) twice", number: 17) }
    watched[fd] = readiness
  }

  public func change(_ fd: Int32, to readiness: Readiness) { if watched[fd] != nil { watched[fd] = readiness } }

  public func remove(_ fd: Int32) { watched[fd] = nil }

  /// Time in which the loop does not turn: its process is stopped, or the machine is.
  public func advance(by duration: Duration) { now = now + duration }

  /// The next wait reports the descriptor, if it is watched for that by then.
  public func signal(_ fd: Int32, _ readiness: Readiness) { ready.append((fd, readiness)) }

  public func wait(until deadline: MonotonicTime?, _ report: (Int32, Readiness) -> Bool) throws(SystemError) {
    let batch = ready
    ready = []
    for (index, event) in batch.enumerated() {
      guard let wanted = watched[event.fd] else { continue }
      let matching = event.readiness.intersection(wanted.union(.failed))
      guard matching.isEmpty || report(event.fd, matching) else {
        // What was not heard of is ready still, as with a kernel.
        ready = Array(batch[(index + 1)...]) + ready
        return
      }
    }
    if batch.isEmpty, let deadline, deadline > now { now = deadline }
    precondition(!batch.isEmpty || deadline != nil, "the loop waits for ever: no timer is set and no descriptor is ready")
  }
}
