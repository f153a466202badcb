import Core
import Simulation
import Testing

@Suite struct TimerQueueTests {
  private func at(_ nanoseconds: Int64) -> MonotonicTime { MonotonicTime(nanoseconds: nanoseconds) }

  @Test func timersFireInOrderOfTimeAndThenOfSetting() {
    var queue = TimerQueue<Int>()
    for (due, name) in [(30, 1), (10, 2), (20, 3), (10, 4)] { _ = queue.set(at: at(Int64(due)), name) }
    var fired: [Int] = []
    while let name = queue.popDue(at: at(25)) { fired.append(name) }
    #expect(fired == [2, 4, 3])
    let next = queue.nextDue
    #expect(next == at(30))
  }

  @Test func aCancelledTimerNeverFiresAndCancellingTwiceDoesNothing() {
    var queue = TimerQueue<Int>()
    let first = queue.set(at: at(1), 1)
    _ = queue.set(at: at(2), 2)
    queue.cancel(first)
    queue.cancel(first)
    #expect(queue.count == 1)
    let popped = queue.popDue(at: at(5))
    #expect(popped == 2)
    let nothing = queue.popDue(at: at(5))
    #expect(nothing == nil)
    queue.cancel(first)
    #expect(queue.count == 0)
  }

  @Test func seededTimersMatchASortedList() {
    var random = SeededGenerator(seed: 7)
    var queue = TimerQueue<Int>()
    var expected: [(due: Int64, name: Int)] = []
    var tokens: [(Int, TimerToken)] = []
    for name in 0..<500 {
      let due = Int64.random(in: 0...100, using: &random)
      tokens.append((name, queue.set(at: at(due), name)))
      expected.append((due, name))
    }
    for (name, token) in tokens where name % 3 == 0 {
      queue.cancel(token)
      expected.removeAll { $0.name == name }
    }
    expected.sort { ($0.due, $0.name) < ($1.due, $1.name) }
    var fired: [Int] = []
    while let name = queue.popDue(at: at(100)) { fired.append(name) }
    #expect(fired == expected.map(\.name))
  }
}
