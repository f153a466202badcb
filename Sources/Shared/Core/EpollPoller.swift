import CLinuxShims
import Glibc

/// The real world: epoll, CLOCK_BOOTTIME and CLOCK_REALTIME.
final class EpollPoller: Poller {
  private static let capacity = 64
  private let epoll: Int32

  /// Throws `SystemError` when the kernel refuses another epoll descriptor.
  init() throws(SystemError) {
    epoll = try SystemError.check(shim_epoll_create(), "epoll_create1")
  }

  deinit { close(epoll) }

  var now: MonotonicTime { .now }
  var wall: Duration { WallClock.now }

  func add(_ fd: Int32, _ readiness: Readiness) throws(SystemError) {
    try SystemError.check(shim_epoll_add(epoll, fd, readiness.rawValue), "epoll_ctl add")
  }

  func change(_ fd: Int32, to readiness: Readiness) { _ = shim_epoll_modify(epoll, fd, readiness.rawValue) }

  func remove(_ fd: Int32) { _ = shim_epoll_remove(epoll, fd) }

  func wait(until deadline: MonotonicTime?, _ ready: (Int32, Readiness) -> Bool) throws(SystemError) {
    let timeout = deadline.map { max(0, ($0 - .now).nanoseconds) } ?? -1
    try withUnsafeTemporaryAllocation(of: shim_event.self, capacity: Self.capacity) { (events) throws(SystemError) in
      guard let base = events.baseAddress else { return }
      let count = try SystemError.check(shim_epoll_wait(epoll, base, Int32(Self.capacity), timeout), "epoll_wait")
      for index in 0..<Int(count) where !ready(events[index].fd, Readiness(rawValue: events[index].events)) { return }
    }
  }
}
