import Core
import JobKit
import Simulation
import Testing

@Suite struct UniqueQueueTests {
  private let now = MonotonicTime(nanoseconds: 0)

  private func item(_ payload: String, _ score: Double, group: Int = 0) -> QueueItem {
    QueueItem(payload: payload, group: group, score: score)
  }

  private func order(_ queue: inout UniqueQueue) -> [String] {
    var payloads: [String] = []
    while let item = queue.take() { payloads.append(item.payload) }
    return payloads
  }

  @Test func membersComeOutByScoreAndThenInTheOrderOfAdding() {
    var queue = UniqueQueue()
    for entry in [item("a", 5), item("b", 3), item("c", 5), item("d", QueueItem.onDemand), item("e", QueueItem.newcomer)] {
      let isNew = queue.add(entry, at: now)
      #expect(isNew)
    }
    #expect(order(&queue) == ["d", "e", "b", "a", "c"])
  }

  @Test func aMemberWaitsOnceAndKeepsItsScore() {
    var queue = UniqueQueue()
    queue.add(item("1", 10), at: now)
    let again = queue.add(item("1", 1), at: now)
    #expect(!again)
    let elsewhere = queue.add(item("1", 1, group: 2), at: now)
    #expect(elsewhere, "another group is another queue")
    #expect(queue.count == 2)
    let first = queue.take()
    #expect(first == item("1", 1, group: 2))
    let second = queue.take()
    #expect(second == item("1", 10))
  }

  @Test func liftingMovesAMemberAndAddsAMissingOne() {
    var queue = UniqueQueue()
    queue.add(item("1", 10), at: now)
    queue.add(item("2", 5), at: now)
    queue.lift(item("1", QueueItem.onDemand), at: now)
    queue.lift(item("3", QueueItem.onDemand), at: now)
    #expect(queue.count == 3)
    #expect(order(&queue) == ["1", "3", "2"])
  }

  @Test func seededOperationsMatchASortedModel() {
    var random = SeededGenerator(seed: 11)
    var queue = UniqueQueue()
    var model: [(key: String, score: Double, order: Int)] = []
    for step in 0..<5000 {
      let key = String(Int.random(in: 0..<50, using: &random))
      let score = Double(Int.random(in: 0..<20, using: &random))
      switch Int.random(in: 0..<4, using: &random) {
      case 0, 1:
        let added = queue.add(item(key, score), at: now)
        #expect(added == !model.contains { $0.key == key })
        if added { model.append((key, score, step)) }
      case 2:
        queue.lift(item(key, score), at: now)
        model.removeAll { $0.key == key }
        model.append((key, score, step))
      default:
        let expected = model.min { ($0.score, $0.order) < ($1.score, $1.order) }
        let taken = queue.take()?.payload
        #expect(taken == expected?.key)
        model.removeAll { $0.key == expected?.key }
      }
      #expect(queue.count == model.count)
    }
  }
}
