import Core
import Redis
import RedisFixture
import Testing

@testable import JobKit

/// The queue of ticks (alerting, billing) on a real server, with scripts and where the ACL forbids them.
@Suite(.serialized) struct ClusterTickTests {
  private let queue = "librenms.queue:billing:0"
  private let lock = "librenms.lock:billing.device.poll"

  private let other = "00000000-0000-8000-8000-000000000002"

  private func scene(_ settings: RedisSettings, _ name: String, uuid: String = ClusterScene.uuid) throws -> ClusterScene {
    let scene = try ClusterScene(settings, name: name, type: .billing, keepsTicks: true, mayLead: false, uuid: uuid)
    #expect(scene.turn { scene.coordinator.depthIsKnown })
    return scene
  }

  private func taken(_ scene: ClusterScene, slot: Int) -> TakenJob? {
    if case .job(let job)? = scene.take(slot: slot) { job } else { nil }
  }

  private func presence(_ scene: ClusterScene, _ payload: String) -> Presence? {
    var found: Presence?
    scene.coordinator.presence(of: QueueItem(payload: payload, group: 0, score: 0)) { found = $0 }
    scene.turn { found != nil }
    return found
  }

  @Test(arguments: [true, false])
  func aTickWhoseLockIsHeldStaysUntilItIsFreeAndOthersPassIt(withScripts: Bool) throws {
    let server = try RedisServer()
    let settings = try server.settings(withScripts: withScripts)
    let (first, second) = (try scene(settings, "n1"), try scene(settings, "n2", uuid: other))
    #expect(presence(second, "poll") == .absent)
    try server.command("ZADD", queue, "1", "poll")
    #expect(presence(second, "poll") == .waits)
    let poll = try #require(taken(first, slot: 0))
    #expect(poll.item == QueueItem(payload: "poll", group: 0, score: 1))
    #expect(try server.command("GET", lock) == poll.owner)
    #expect(presence(second, "poll") == .runs)

    try server.command("ZADD", queue, "2", "poll", "3", "calculate")
    second.coordinator.turn(at: .now)
    let calculate = try #require(taken(second, slot: 1))
    #expect(calculate.item.payload == "calculate")
    #expect(second.take(slot: 2) == .empty)
    #expect(try server.command("ZRANGE", queue, "0", "-1") == "poll", "it is not dropped")
    #expect(second.coordinator.needsPolling && second.coordinator.depth == 1)
    #expect(presence(second, "poll") == .waits)

    first.coordinator.finish(poll, hold: nil)
    #expect(first.turn { ((try? server.command("EXISTS", lock)) ?? "1") == "0" })
    #expect(taken(second, slot: 2)?.item == QueueItem(payload: "poll", group: 0, score: 2))
    #expect(try server.command("ZCARD", queue) == "0")
    // Both notes are there for a successor, and the first job's is not.
    #expect(try server.command("EXISTS", "librenms.inflight:\(ClusterScene.uuid)") == "0")
    let fields = try server.command("HKEYS", "librenms.inflight:\(other)").split(separator: "\n").sorted()
    #expect(fields == ["billing:1", "billing:2"])
  }

  @Test(arguments: [true, false])
  func aTickThatIsHeldUpIsAskedForOnceASecondAndTakenWithinOne(withScripts: Bool) throws {
    let server = try RedisServer()
    let scene = try scene(try server.settings(withScripts: withScripts), "n1")
    var takes = 0
    var job: TakenJob?
    var isUnderWay = false
    // As the engine does it with one slot: nothing is taken for it while it waits for an answer or has a job.
    func take() {
      guard !isUnderWay, job == nil else { return }
      isUnderWay = true
      takes += 1
      scene.coordinator.take(SlotOwner(prefix: "n1-Billing_", slot: 0)) {
        isUnderWay = false
        if case .job(let taken) = $0 { job = taken }
      }
    }
    scene.coordinator.onWake = { scene.loop.afterTurn { take() } }
    try server.command("SET", lock, "a node that died", "EX", "100")
    try server.command("ZADD", queue, "1", "poll")
    var next = MonotonicTime.now
    func turn(for time: Duration) {
      scene.turn(until: time) {
        if MonotonicTime.now >= next {
          next = .now + .seconds(1)
          if scene.coordinator.needsPolling { take() }
        }
        return job != nil
      }
    }
    take()
    turn(for: .seconds(4))
    #expect(job == nil && takes >= 3)
    #expect(takes < 12, "\(takes) takes in 4 s")
    try server.command("DEL", lock)
    let freed = MonotonicTime.now
    turn(for: .seconds(4))
    #expect(job?.item.payload == "poll")
    #expect(MonotonicTime.now - freed < .seconds(2))
  }

  @Test func aKeyOfAnotherTypeInItsPlaceIsDeleted() throws {
    let server = try RedisServer()
    let scene = try scene(server.settings, "n1")
    try server.command("SET", queue, "nonsense")
    scene.coordinator.turn(at: .now)
    #expect(scene.take() == .empty)
    #expect(try server.command("EXISTS", queue) == "0")
  }
}
