import Core
import Testing

@testable import JobKit

@Suite struct DelayedWorkTests {
  /// Members that wait for these milliseconds, the period, and how they are released.
  @Test(arguments: [
    ([0, 20, 45, 150], Duration.seconds(300), [["0", "20", "45"], ["150"]]),
    ([150, 45, 20, 0], .seconds(300), [["0", "20", "45"], ["150"]]),
    ([0, 60, 120], .seconds(1), [["0"], ["60"], ["120"]]),
  ])
  func whatIsDueAlmostTogetherIsReleasedTogether(_ waits: [Int], _ period: Duration, _ expected: [[String]]) throws {
    let loop = try EventLoop()
    var released: [[String]] = []
    let work = DelayedWork(loop: loop) { released.append($0.map(\.payload)) }
    let start = MonotonicTime.now + .milliseconds(30)
    for wait in waits {
      work.add(QueueItem(payload: "\(wait)", group: 0, score: 1), until: start + .milliseconds(wait), period: period)
      // A member that waits already is not queued twice.
      work.add(QueueItem(payload: "\(wait)", group: 0, score: 1), until: start, period: period)
    }
    let end = MonotonicTime.now + .seconds(5)
    while released.flatMap({ $0 }).count < waits.count, MonotonicTime.now < end {
      let before = released.count
      try loop.turn(limit: .milliseconds(10))
      if released.count > before { #expect(MonotonicTime.now >= start) }
    }
    #expect(released == expected)
  }
}
