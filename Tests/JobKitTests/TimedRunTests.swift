import Core
import RedisFixture
import Testing

@testable import JobKit

/// How a cluster remembers that a tick was run, on a real server.
@Suite(.serialized) struct TimedRunTests {
  private let key = "librenms.tick:poller:timed"

  private func items(_ numbers: Range<Int>) -> [QueueItem] { numbers.map { QueueItem(payload: "\($0)", group: 0, score: 5) } }

  private func run(_ scene: ClusterScene, _ numbers: Range<Int>, _ tick: TickRun) -> EnqueueResult? {
    var result: EnqueueResult?
    scene.coordinator.enqueue(items(numbers), respectingLocks: false, tick: tick) { result = $0 }
    scene.turn { result != nil }
    return result
  }

  /// A leader that is interrupted after its first chunk has not run the tick: the next one queues all of it.
  @Test(arguments: [true, false]) func aTickIsNotedWithItsLastChunk(withScripts: Bool) throws {
    let server = try RedisServer()
    let scene = try ClusterScene.leading(server, withScripts: withScripts)
    let tick = TickRun(name: "timed", boundary: 600, period: .seconds(300), known: 300)
    var first = false
    scene.coordinator.commands.enqueue(
      items(0..<500), respectingLocks: false, leader: scene.coordinator.leader, tick: tick, isLast: false
    ) { result in
      if case .success = result { first = true }
    }
    #expect(scene.turn { first })
    #expect(try server.command("EXISTS", key) == "0")
    #expect(run(scene, 0..<1201, tick) == .done)
    #expect(scene.turn(until: .seconds(2)) { (try? server.command("GET", key)) == "600" })
    #expect(try server.command("ZCARD", "librenms.queue:poller:0") == "1201")
    #expect(run(scene, 0..<1201, tick) == .alreadyTicked)
  }

  /// The last run lies in the future of a clock that was set back: who knows of it goes on from there, others must not.
  @Test(arguments: [true, false]) func aClockThatWasSetBackDoesNotHoldUpTheTicks(withScripts: Bool) throws {
    let server = try RedisServer()
    let scene = try ClusterScene.leading(server, withScripts: withScripts)
    #expect(run(scene, 0..<1, TickRun(name: "timed", boundary: 6000, period: .seconds(300), known: 5700)) == .done)
    #expect(scene.turn(until: .seconds(2)) { (try? server.command("GET", key)) == "6000" })
    #expect(run(scene, 0..<1, TickRun(name: "timed", boundary: 2400, period: .seconds(300), known: 2100)) == .alreadyTicked)
    #expect(run(scene, 0..<1, TickRun(name: "timed", boundary: 2400, period: .seconds(300), known: 6000)) == .done)
    #expect(scene.turn(until: .seconds(2)) { (try? server.command("GET", key)) == "2400" })
    #expect(run(scene, 0..<1, TickRun(name: "timed", boundary: 2700, period: .seconds(300), known: 2400)) == .done)
  }

  @Test func aHoldIsThereAgainAfterALossOfData() throws {
    let server = try RedisServer()
    let scene = try ClusterScene.leading(server, withScripts: true)
    #expect(scene.enqueue(["7"]) == .done)
    guard case .job(let job)? = scene.take() else { return #expect(Bool(false), "7 waits") }
    scene.coordinator.finish(job, hold: .seconds(50))
    #expect(scene.turn(until: .seconds(2)) { (try? server.command("GET", job.lock)) == job.owner })
    try server.command("FLUSHALL")
    #expect(scene.turn(until: .seconds(5)) { (try? server.command("GET", job.lock)) == job.owner })
    let left = try #require(Int(try server.command("TTL", job.lock)))
    #expect((40...50).contains(left))
  }
}

@Suite struct DurationOfSecondsTests {
  /// Scores of a queue are anybody's numbers.
  @Test(arguments: [
    (Double.nan, Duration.zero), (1.5, .milliseconds(1500)), (1e300, .seconds(9_200_000_000)), (-.infinity, .seconds(-9_200_000_000)),
  ])
  func absurdNumbersSaturate(seconds: Double, expected: Duration) {
    #expect(Duration(seconds: seconds) == expected)
  }
}
