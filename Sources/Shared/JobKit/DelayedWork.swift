import Core

/// Members that wait for the end of their period, to be queued together with those that end theirs at almost the same time.
///
/// One timer for all, and one enqueue for many: in a cluster each enqueue is a command to Redis.
final class DelayedWork {
  /// A member may come early by this much at most, and by no more than a hundredth of its period.
  static let window = Duration.milliseconds(50)

  private struct Entry {
    var due: MonotonicTime
    var item: QueueItem
  }

  private let loop: EventLoop
  private let release: ([QueueItem]) -> Void
  private var entries = BinaryHeap<Entry> { $0.due < $1.due }
  private var payloads: Set<String> = []
  private var timer: (due: MonotonicTime, token: TimerToken)?

  /// `release` is given what is due.
  init(loop: EventLoop, _ release: @escaping ([QueueItem]) -> Void) {
    self.loop = loop
    self.release = release
  }

  /// A member that waits already goes on waiting.
  func add(_ item: QueueItem, until due: MonotonicTime, period: Duration) {
    guard payloads.insert(item.payload).inserted else { return }
    entries.insert(Entry(due: due, item: item))
    schedule(period)
  }

  private func schedule(_ period: Duration) {
    guard let due = entries.first?.due else { return }
    if let timer {
      if timer.due <= due { return }
      loop.cancel(timer.token)
    }
    timer = (due, loop.schedule(at: due) { [weak self] in self?.fire(period) })
  }

  private func fire(_ period: Duration) {
    timer = nil
    let limit = loop.now + min(Self.window, period / 100)
    var due: [QueueItem] = []
    while let first = entries.first, first.due <= limit, let entry = entries.removeFirst() {
      payloads.remove(entry.item.payload)
      due.append(entry.item)
    }
    if !due.isEmpty { release(due) }
    schedule(period)
  }
}
