import CLinuxShims
import Glibc

/// Takes lines and bytes for slow targets off the loop: a bounded queue and one thread that may block.
///
/// A full disk, a stuck terminal or a journal that does not read costs lines, never the loop's time. What was dropped is counted and
/// said as soon as the target takes something again. `write` may be called from any thread.
public final class LogRing: @unchecked Sendable {
  /// Where bytes go.
  public enum Target: Sendable, Equatable {
    case descriptor(Int32)
    /// Appended; opened for each batch, so that logrotate may move the file away.
    case file(String)
    case journal
  }

  /// Bytes that wait at the most, over all targets.
  public static let capacity = 256 * 1024

  struct Entry {
    var target: Target
    var bytes: [UInt8]
    /// syslog's number, for the journal.
    var priority: Int32
    var fields: [String]
  }

  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private let changed: UnsafeMutablePointer<pthread_cond_t>
  // All guarded by `mutex`.
  private var entries: [Entry] = []
  private var waiting = 0 {
    didSet { shim_atomic_store(unwritten, UInt64(waiting)) }
  }
  private var writing = false
  private var started = false
  private var droppedCount: UInt64 = 0
  private var failures: [String: Int32] = [:]
  private let writer: LogWriter
  /// The same as `waiting`, for whoever can't take the mutex.
  private let unwritten: UnsafeMutablePointer<UInt64>

  public init() {
    mutex = .allocate(capacity: 1)
    mutex.initialize(to: pthread_mutex_t())
    pthread_mutex_init(mutex, nil)
    changed = .allocate(capacity: 1)
    changed.initialize(to: pthread_cond_t())
    pthread_cond_init(changed, nil)
    writer = LogWriter()
    unwritten = .allocate(capacity: 1)
    unwritten.initialize(to: 0)
  }

  /// What was said before a fault of this process is written before it ends. For the one ring of a process.
  func surviveFaults() { shim_write_log_at_crash(unwritten) }

  /// Bytes that were not written, since the start of the process.
  public var dropped: UInt64 {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return droppedCount
  }

  /// The files that can't be written at the moment, with the error number; for one log line each way.
  public var failing: [String: Int32] {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return failures
  }

  /// Queues bytes; false when the ring is full and they were dropped.
  @discardableResult
  public func write(_ bytes: [UInt8], to target: Target, priority: Int32 = 6, fields: [String] = []) -> Bool {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    guard waiting + bytes.count <= Self.capacity else {
      droppedCount += UInt64(bytes.count)
      return false
    }
    waiting += bytes.count
    entries.append(Entry(target: target, bytes: bytes, priority: priority, fields: fields))
    if !started {
      started = true
      let context = Unmanaged.passRetained(self).toOpaque()
      let body: @convention(c) (UnsafeMutableRawPointer?) -> Void = { context in
        guard let context else { return }
        Unmanaged<LogRing>.fromOpaque(context).takeUnretainedValue().drain()
      }
      if shim_thread_start(body, context, 128 * 1024, "log") < 0 {
        started = false
        droppedCount += UInt64(waiting)
        waiting = 0
        entries = []
      }
    }
    pthread_cond_signal(changed)
    return true
  }

  /// Waits until everything is written or `limit` is over; for the end of the process.
  public func flush(limit: Duration) {
    let end = MonotonicTime.now + limit
    while MonotonicTime.now < end {
      pthread_mutex_lock(mutex)
      let done = entries.isEmpty && !writing
      pthread_mutex_unlock(mutex)
      if done { return }
      usleep(1000)
    }
  }

  private func drain() {
    while true {
      pthread_mutex_lock(mutex)
      while entries.isEmpty { pthread_cond_wait(changed, mutex) }
      let batch = entries
      entries = []
      writing = true
      pthread_mutex_unlock(mutex)

      let lost = writer.write(batch)

      pthread_mutex_lock(mutex)
      writing = false
      waiting -= batch.reduce(0) { $0 + $1.bytes.count }
      droppedCount += UInt64(lost)
      failures = writer.failures
      pthread_mutex_unlock(mutex)
    }
  }
}
