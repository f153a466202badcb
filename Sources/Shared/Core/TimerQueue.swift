/// Names a timer that was set.
public struct TimerToken: Hashable, Sendable {
  fileprivate let place: Int
  fileprivate let number: UInt64
}

/// Timers by due time; equal times fire in the order in which they were set.
///
/// Setting, cancelling and firing cost the logarithm of their number, and asking for the next one nothing: a simulation asks many queues
/// before every event.
public struct TimerQueue<Payload> {
  /// Without the payload, so that moving it counts no references.
  private struct Entry {
    var due: MonotonicTime
    var number: UInt64
    var place: Int

    func precedes(_ other: Entry) -> Bool { due == other.due ? number < other.number : due < other.due }
  }

  /// A binary heap, whose first entry is always of a timer that is set.
  private var heap: [Entry] = []
  /// Timers by the place that their token names; 0 = a free one.
  private var timers: [(number: UInt64, payload: Payload?)] = []
  private var free: [Int] = []
  private var lastNumber: UInt64 = 0

  public init() {}

  public var count: Int { timers.count - free.count }

  /// When the earliest timer is due.
  public var nextDue: MonotonicTime? { heap.first?.due }

  public mutating func set(at due: MonotonicTime, _ payload: Payload) -> TimerToken {
    lastNumber += 1
    let place: Int
    if let known = free.popLast() {
      place = known
      timers[place] = (lastNumber, payload)
    } else {
      place = timers.count
      timers.append((lastNumber, payload))
    }
    insert(Entry(due: due, number: lastNumber, place: place))
    return TimerToken(place: place, number: lastNumber)
  }

  /// Cancelling a timer that fired or was cancelled does nothing. Returns what it would have fired: its end may cancel others, so it is not
  /// to end in here.
  @discardableResult
  public mutating func cancel(_ token: TimerToken) -> Payload? {
    guard token.place < timers.count, timers[token.place].number == token.number else { return nil }
    let payload = release(token.place)
    dropCancelled()
    return payload
  }

  /// Removes and returns the earliest timer that is due at `now`.
  public mutating func popDue(at now: MonotonicTime) -> Payload? {
    guard let first = heap.first, first.due <= now else { return nil }
    removeFirst()
    let payload = release(first.place)
    dropCancelled()
    return payload
  }

  private mutating func release(_ place: Int) -> Payload? {
    free.append(place)
    timers[place].number = 0
    return timers[place].payload.take()
  }

  private mutating func dropCancelled() {
    while let first = heap.first, timers[first.place].number != first.number { removeFirst() }
  }

  // MARK: The heap

  private mutating func insert(_ entry: Entry) {
    heap.append(entry)
    var child = heap.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      guard entry.precedes(heap[parent]) else { break }
      heap[child] = heap[parent]
      child = parent
    }
    heap[child] = entry
  }

  private mutating func removeFirst() {
    let entry = heap.removeLast()
    let count = heap.count
    guard count > 0 else { return }
    var parent = 0
    while true {
      var child = 2 * parent + 1
      guard child < count else { break }
      if child + 1 < count, heap[child + 1].precedes(heap[child]) { child += 1 }
      guard heap[child].precedes(entry) else { break }
      heap[parent] = heap[child]
      parent = child
    }
    heap[parent] = entry
  }
}
