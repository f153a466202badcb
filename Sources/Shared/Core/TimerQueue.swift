/// Names a timer that was set.
public struct TimerToken: Hashable, Sendable {
  let number: UInt64
}

/// Timers by due time; equal times fire in the order in which they were set.
public struct TimerQueue<Payload> {
  private struct Entry {
    var due: MonotonicTime
    var number: UInt64
    var payload: Payload
  }

  private var heap = BinaryHeap<Entry> { ($0.due, $0.number) < ($1.due, $1.number) }
  private var cancelled: Set<UInt64> = []
  private var pending: Set<UInt64> = []
  private var nextNumber: UInt64 = 0

  public init() {}

  public var count: Int { pending.count }

  /// When the earliest timer is due.
  public mutating func nextDue() -> MonotonicTime? {
    dropCancelled()
    return heap.first?.due
  }

  public mutating func set(at due: MonotonicTime, _ payload: Payload) -> TimerToken {
    nextNumber += 1
    pending.insert(nextNumber)
    heap.insert(Entry(due: due, number: nextNumber, payload: payload))
    return TimerToken(number: nextNumber)
  }

  /// Cancelling a timer that fired or was cancelled does nothing.
  public mutating func cancel(_ token: TimerToken) {
    if pending.remove(token.number) != nil { cancelled.insert(token.number) }
  }

  /// Removes and returns the earliest timer that is due at `now`.
  public mutating func popDue(at now: MonotonicTime) -> Payload? {
    dropCancelled()
    guard let first = heap.first, first.due <= now else { return nil }
    pending.remove(first.number)
    return heap.removeFirst()?.payload
  }

  private mutating func dropCancelled() {
    while let first = heap.first, cancelled.remove(first.number) != nil { _ = heap.removeFirst() }
  }
}
