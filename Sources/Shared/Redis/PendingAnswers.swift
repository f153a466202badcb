import Core

/// Answers that are awaited, oldest first.
struct PendingAnswers {
  struct Entry {
    var since: MonotonicTime
    var answer: RedisConnection.Answer
  }

  private var entries: [Entry?] = []
  private var head = 0

  var first: Entry? { head < entries.count ? entries[head] : nil }

  mutating func append(_ entry: Entry) { entries.append(entry) }

  mutating func popFirst() -> Entry? {
    guard head < entries.count else { return nil }
    let entry = entries[head]
    entries[head] = nil
    head += 1
    if head == entries.count {
      entries.removeAll(keepingCapacity: entries.count <= 1024)
      head = 0
    } else if head > 4096 {
      entries.removeFirst(head)
      head = 0
    }
    return entry
  }

  mutating func takeAll() -> [Entry] {
    let left = entries[head...].compactMap { $0 }
    entries = []
    head = 0
    return left
  }
}
