import Core

/// Waiting jobs in the order of their scores, each at most once per group. Adding a member that waits already changes nothing,
/// unless it is lifted.
public struct UniqueQueue: Sendable {
  private struct Key: Hashable {
    var payload: String
    var group: Int
  }

  private struct Entry {
    var key: Key
    var score: Double
    var number: UInt64

    func precedes(_ other: Entry) -> Bool { (score, number) < (other.score, other.number) }
  }

  private struct Waiting {
    var number: UInt64
    var since: MonotonicTime
  }

  private var heap: [Entry] = []
  private var members: [Key: Waiting] = [:]
  private var nextNumber: UInt64 = 0

  public init() {}

  public var count: Int { members.count }

  /// Since when the longest waiting member waits. Linear in the number of members: for reports, not for every job.
  public var oldest: MonotonicTime? { members.values.lazy.map(\.since).min() }

  public func contains(_ payload: String, group: Int) -> Bool { members[Key(payload: payload, group: group)] != nil }

  /// False when the member waits already.
  @discardableResult
  public mutating func add(_ item: QueueItem, at now: MonotonicTime) -> Bool {
    let key = Key(payload: item.payload, group: item.group)
    guard members[key] == nil else { return false }
    insert(key, score: item.score, since: now)
    return true
  }

  /// Adds the member, or gives a waiting one the new score.
  public mutating func lift(_ item: QueueItem, at now: MonotonicTime) {
    let key = Key(payload: item.payload, group: item.group)
    insert(key, score: item.score, since: members[key]?.since ?? now)
  }

  /// Removes and returns the member with the lowest score; of equal ones the one that was added first.
  public mutating func take() -> QueueItem? {
    while !heap.isEmpty {
      heap.swapAt(0, heap.count - 1)
      let entry = heap.removeLast()
      siftDown(0)
      // A lifted member leaves its old entry behind.
      guard members[entry.key]?.number == entry.number else { continue }
      members[entry.key] = nil
      return QueueItem(payload: entry.key.payload, group: entry.key.group, score: entry.score)
    }
    return nil
  }

  public mutating func removeAll(where unwanted: (QueueItem) -> Bool) {
    heap = heap.filter { entry in
      guard members[entry.key]?.number == entry.number else { return false }
      if unwanted(QueueItem(payload: entry.key.payload, group: entry.key.group, score: entry.score)) {
        members[entry.key] = nil
        return false
      }
      return true
    }
    heap.sort { $0.precedes($1) }
  }

  private mutating func insert(_ key: Key, score: Double, since: MonotonicTime) {
    nextNumber += 1
    members[key] = Waiting(number: nextNumber, since: since)
    heap.append(Entry(key: key, score: score, number: nextNumber))
    var child = heap.count - 1
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
