import Core
import RedisFixture
import Testing

@testable import JobKit

/// Keys of another type in the place of queues, on a real server.
@Suite(.serialized) struct WrongTypeTests {
  @Test(arguments: [true, false])
  func aLeaderQueuesForAnotherNodesGroupWhateverStandsInItsPlace(withScripts: Bool) throws {
    let server = try RedisServer()
    let scene = try ClusterScene.leading(server, withScripts: withScripts)
    let queue = "librenms.queue:poller:5"
    try server.command("SET", queue, "of another type")
    var result: EnqueueResult?
    let items = [QueueItem(payload: "1", group: 0, score: 5), QueueItem(payload: "2", group: 5, score: 6)]
    let tick = TickRun(name: "timed", boundary: 600, period: .seconds(300))
    scene.coordinator.enqueue(items, respectingLocks: true, tick: tick) { result = $0 }
    #expect(scene.turn { result != nil })
    #expect(result == .done)
    #expect(try server.command("ZRANGE", queue, "0", "-1") == "2")
    #expect(try server.command("ZRANGE", "librenms.queue:poller:0", "0", "-1") == "1")
    let warnings = scene.lines.all.filter { $0.hasPrefix("warning deleted") }
    #expect(warnings == ["warning deleted \(queue), a string in the place of a queue"])
    // The tick is noted, and only once the members were queued.
    #expect(scene.turn(until: .seconds(2)) { (try? server.command("GET", "librenms.tick:poller:timed")) == "600" })
    result = nil
    scene.coordinator.enqueue(items, respectingLocks: true, tick: tick) { result = $0 }
    #expect(scene.turn { result != nil })
    #expect(result == .alreadyTicked)
  }

  @Test(arguments: [true, false])
  func takingAndLiftingMendTheirQueueToo(withScripts: Bool) throws {
    let server = try RedisServer()
    let scene = try ClusterScene.leading(server, withScripts: withScripts)
    let queue = "librenms.queue:poller:0"
    try server.command("LPUSH", queue, "x")
    #expect(scene.take() == .empty)
    #expect(try server.command("EXISTS", queue) == "0")
    try server.command("HSET", queue, "a", "b")
    var lifted: Result<Bool, CoordinatorFailure>?
    scene.coordinator.lift(QueueItem(payload: "7", group: 0, score: QueueItem.onDemand)) { lifted = $0 }
    #expect(scene.turn { lifted != nil })
    #expect(lifted == .success(false))
    guard case .job(let job)? = scene.take() else { return #expect(Bool(false), "7 waits") }
    #expect(job.item.payload == "7")
    #expect(scene.lines.all.count { $0.hasPrefix("warning deleted") } == 2)
  }
}
