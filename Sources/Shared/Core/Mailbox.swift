import CLinuxShims
import Glibc

/// Values from other threads to a loop, in order. `send` may be called from any thread.
public final class Mailbox<Value: Sendable>: @unchecked Sendable {
  // Guarded by `mutex`; the event counter is the only thing both sides touch without it.
  private var values: [Value] = []
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private let wakeup: Int32

  public init() throws {
    wakeup = try SystemError.check(shim_eventfd(), "eventfd")
    mutex = .allocate(capacity: 1)
    mutex.initialize(to: pthread_mutex_t())
    pthread_mutex_init(mutex, nil)
  }

  deinit {
    close(wakeup)
    pthread_mutex_destroy(mutex)
    mutex.deallocate()
  }

  public func send(_ value: Value) {
    pthread_mutex_lock(mutex)
    values.append(value)
    let first = values.count == 1
    pthread_mutex_unlock(mutex)
    guard first else { return }
    var one: UInt64 = 1
    _ = write(wakeup, &one, MemoryLayout<UInt64>.size)
  }

  /// Hands the values to `handler` on the loop's thread. To be called once.
  public func deliver(on loop: EventLoop, to handler: @escaping (Value) -> Void) throws {
    try loop.watch(wakeup, for: .readable) { [self] _ in
      var count: UInt64 = 0
      _ = read(wakeup, &count, MemoryLayout<UInt64>.size)
      pthread_mutex_lock(mutex)
      let batch = values
      values = []
      pthread_mutex_unlock(mutex)
      for value in batch { handler(value) }
    }
  }
}
