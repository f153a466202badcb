import Core

/// Waiting jobs in the order of their scores, each at most once per group. Adding a member that waits already changes nothing,
/// unless it is lifted.
public struct UniqueQueue {
  private struct Key: Hashable {
    var payload: String
    var group: Int
  }

  private struct Entry {
    var key: Key
    var score: Double
    var number: UInt64
  }

  private struct Waiting {
    var number: UInt64
    var since: MonotonicTime
  }

  private var heap = BinaryHeap<Entry> { ($0.score, $0.number) < ($1.score, $1.number) }
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
    while let entry = heap.removeFirst() {
      // A lifted member leaves its old entry behind.
      guard members[entry.key]?.number == entry.number else { continue }
      members[entry.key] = nil
      return QueueItem(payload: entry.key.payload, group: entry.key.group, score: entry.score)
    }
    return nil
  }

  /// Removes and returns the lowest member for which it holds; the others stay with their places.
  public mutating func take(where holds: (QueueItem) -> Bool) -> QueueItem? {
    var passed: [Entry] = []
    defer { for entry in passed { heap.insert(entry) } }
    while let entry = heap.removeFirst() {
      guard members[entry.key]?.number == entry.number else { continue }
      let item = QueueItem(payload: entry.key.payload, group: entry.key.group, score: entry.score)
      if holds(item) {
        members[entry.key] = nil
        return item
      }
      passed.append(entry)
    }
    return nil
  }

  private mutating func insert(_ key: Key, score: Double, since: MonotonicTime) {
    nextNumber += 1
    members[key] = Waiting(number: nextNumber, since: since)
    heap.insert(Entry(key: key, score: score, number: nextNumber))
  }
}
