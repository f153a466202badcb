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

    func precedes(_ other: Entry) -> Bool { (due, number) < (other.due, other.number) }
  }

  private var heap: [Entry] = []
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
    heap.append(Entry(due: due, number: nextNumber, payload: payload))
    siftUp(heap.count - 1)
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
    return popFirst().payload
  }

  private mutating func dropCancelled() {
    while let first = heap.first, cancelled.remove(first.number) != nil { _ = popFirst() }
  }

  private mutating func popFirst() -> Entry {
    heap.swapAt(0, heap.count - 1)
    let first = heap.removeLast()
    siftDown(0)
    return first
  }

  private mutating func siftUp(_ start: Int) {
    var child = start
    while child > 0 {
      let parent = (child - 1) / 2
      guard heap[child].precedes(heap[parent]) else { return }
      heap.swapAt(child, parent)
      child = parent
    }
  }

  private mutating func siftDown(_ start: Int) {
    var parent = start
    while true {
      var least = parent
      for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && heap[child].precedes(heap[least]) { least = child }
      if least == parent { return }
      heap.swapAt(parent, least)
      parent = least
    }
  }
}
