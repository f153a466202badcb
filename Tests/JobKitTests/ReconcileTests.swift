import Core
import RedisFixture
import Testing

@testable import JobKit

/// Looking after what the server has, while work goes on, on a real server.
@Suite(.serialized) struct ReconcileTests {
  private let queue = "librenms.queue:poller:0"

  /// The answer still shows the note of a job whose end is on its way.
  @Test(arguments: [Duration.seconds(60), nil])
  func aJobThatEndsMeanwhileIsNeitherQueuedAgainNorItsHoldReleased(hold: Duration?) throws {
    let server = try RedisServer()
    try server.command("ZADD", queue, "5", "7")
    let scene = try ClusterScene(server.settings)
    #expect(scene.turn { scene.link.isTracking })
    scene.turn(for: .milliseconds(200))
    guard case .job(let job)? = scene.take() else { return #expect(Bool(false), "7 waits") }
    scene.coordinator.told(nil)
    scene.coordinator.finish(job, hold: hold)
    scene.turn(for: .milliseconds(500))
    #expect(try server.command("EXISTS", queue) == "0")
    #expect(try server.command("EXISTS", job.lock) == (hold == nil ? "0" : "1"))
    #expect(try server.command("HLEN", "librenms.inflight:\(ClusterScene.uuid)") == "0")
    #expect(!scene.lines.all.contains { $0.contains("never started") })
  }

  @Test func whatWasTakenAndNeverReachedASlotIsQueuedAgain() throws {
    let server = try RedisServer()
    try server.command("ZADD", queue, "5", "7")
    do {
      let dead = try ClusterScene(server.settings)
      #expect(dead.turn { if case .job? = dead.take() { true } else { false } })
    }
    #expect(try server.command("EXISTS", queue) == "0")
    let scene = try ClusterScene(server.settings)
    #expect(scene.turn { scene.lines.all.contains("warning 1 jobs that were taken and never started are back in the queue") })
    #expect(scene.turn(until: .seconds(2)) { (try? server.command("ZRANGE", self.queue, "0", "-1")) == "7" })
  }

  /// With plain commands the note is a command of its own, which dies with its sender: the job table alone knows of the job then.
  @Test func whatTheTableAloneKnowsIsQueuedAgainAndItsLockReleased() throws {
    let server = try RedisServer()
    let lock = "librenms.lock:poller.device.7"
    let owner = "n-\(ClusterScene.uuid)-Poller_0-2"
    try server.command("SET", lock, owner, "EX", "300")
    let scene = try ClusterScene(server.settings)
    scene.coordinator.putBackUnstarted(
      TakenJob(item: QueueItem(payload: "7", group: 0, score: 5), lock: lock, owner: owner, slot: 1))
    #expect(scene.turn { (try? server.command("ZRANGE", self.queue, "0", "-1", "WITHSCORES")) == "7\n5" })
    #expect(scene.turn(until: .seconds(2)) { (try? server.command("EXISTS", lock)) == "0" })
  }

  @Test func aUserThatMayUseNothingButOurKeysCanDoEverything() throws {
    let server = try RedisServer()
    try server.command("SET", "librenms.memory", "before")
    try server.command("ACL", "SETUSER", "limited", "on", ">secret", "~librenms.*", "resetchannels", "&__redis__:invalidate", "+@all")
    var settings = server.settings
    settings.user = "limited"
    settings.password = "secret"
    let scene = try ClusterScene(settings)
    #expect(scene.turn { scene.coordinator.leads && scene.link.isTracking })
    #expect(scene.enqueue(["1", "2"]) == .done)
    var ticked: EnqueueResult?
    let tick = TickRun(name: "timed", boundary: 600, period: .seconds(300))
    scene.coordinator.enqueue([], respectingLocks: true, tick: tick) { ticked = $0 }
    #expect(scene.turn { ticked == .done })
    var lifted: Result<Bool, CoordinatorFailure>?
    scene.coordinator.lift(QueueItem(payload: "2", group: 0, score: QueueItem.onDemand)) { lifted = $0 }
    #expect(scene.turn { lifted == .success(true) })
    guard case .job(let second)? = scene.take() else { return #expect(Bool(false), "two wait") }
    #expect(second.item.payload == "2")
    scene.coordinator.putBack(second)
    scene.coordinator.adopt(second)
    scene.coordinator.turn(at: .now)
    scene.coordinator.finish(second, hold: .seconds(5))
    #expect(scene.turn { scene.coordinator.depthIsKnown })
    #expect(try server.command("EXISTS", "librenms.queue:poller:0", second.lock) == "2")
    #expect(scene.lines.all.allSatisfy { $0.hasPrefix("info") }, "\(scene.lines.all)")
  }

  @Test func aFaultThatLastsIsSaidOnceAndAgainWhenItComesBack() throws {
    let server = try RedisServer()
    try server.command("SET", "librenms.memory", "before")
    try server.command("ACL", "SETUSER", "limited", "on", ">secret", "~librenms.*", "&*", "+@all", "-zadd")
    var settings = server.settings
    settings.user = "limited"
    settings.password = "secret"
    let scene = try ClusterScene(settings)
    #expect(scene.turn { scene.coordinator.leads })
    func errors() -> Int { scene.lines.all.count { $0.hasPrefix("error can't queue work in Redis") } }
    for _ in 0..<3 { #expect(scene.enqueue(["1"]) == .refused) }
    #expect(errors() == 1)
    try server.command("ACL", "SETUSER", "limited", "+zadd")
    #expect(scene.enqueue(["1"]) == .done)
    try server.command("ACL", "SETUSER", "limited", "-zadd")
    #expect(scene.enqueue(["2"]) == .refused)
    #expect(errors() == 2)
  }
}
