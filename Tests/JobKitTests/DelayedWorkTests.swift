import Core
import Simulation
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
    let poller = SimulatedPoller()
    let loop = EventLoop(poller: poller, generator: SeededGenerator(seed: 1))
    var released: [[String]] = []
    let start = loop.now + .milliseconds(30)
    let work = DelayedWork(loop: loop) {
      #expect(loop.now >= start)
      released.append($0.map(\.payload))
    }
    for wait in waits {
      work.add(QueueItem(payload: "\(wait)", group: 0, score: 1), until: start + .milliseconds(wait), period: period)
      // A member that waits already is not queued twice.
      work.add(QueueItem(payload: "\(wait)", group: 0, score: 1), until: start, period: period)
    }
    while released.flatMap({ $0 }).count < waits.count, loop.now < start + .seconds(5) { try loop.turn(limit: .milliseconds(10)) }
    #expect(released == expected)
  }
}
