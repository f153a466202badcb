import Core

/// The one clock of a world. Loops see it through pollers of their own, each with its machine's wall clock.
final class WorldClock {
  /// Not at zero: everything before the boot would be negative.
  fileprivate(set) var now = MonotonicTime(nanoseconds: 1_000_000_000_000)

  func advance(to time: MonotonicTime) { now = max(now, time) }
}

/// A machine's wall clock.
final class WallOffset {
  /// What it shows less the monotonic clock.
  var value: Duration

  init(_ value: Duration) { self.value = value }
}

/// The poller of one process: no descriptors, and a clock that the world moves.
final class WorldPoller: Poller {
  private let clock: WorldClock
  private let offset: WallOffset

  init(_ clock: WorldClock, _ offset: WallOffset) {
    self.clock = clock
    self.offset = offset
  }

  var now: MonotonicTime { clock.now }
  var wall: Duration { .nanoseconds(clock.now.nanoseconds) + offset.value }

  func add(_ fd: Int32, _ readiness: Readiness) throws(SystemError) { throw SystemError("watch a descriptor in a simulation", number: 1) }
  func change(_ fd: Int32, to readiness: Readiness) {}
  func remove(_ fd: Int32) {}
  /// Returns at once: the world turns a loop when it has work.
  func wait(until deadline: MonotonicTime?, _ ready: (Int32, Readiness) -> Bool) throws(SystemError) {}
}
