import Core
import RedisFixture
import Testing

@testable import JobKit

/// What the server carries out after its client has given the connection up: a proxy, or the network, held the bytes.
@Suite(.serialized) struct LateCommandTests {
  private let queue = "librenms.queue:poller:0"
  private let lock = "librenms.lock:poller.device.7"
  private let note = "librenms.inflight:\(ClusterScene.uuid)"

  private let server: RedisServer
  private let proxy: HoldingProxy

  init() throws {
    server = try RedisServer()
    proxy = try HoldingProxy(to: server.port)
    try server.command("SET", "librenms.memory", "before")
  }

  private func scene(keepsTicks: Bool = false) throws -> ClusterScene {
    var settings = server.settings
    settings.port = proxy.port
    // An answer is waited for this long.
    settings.timeout = .seconds(1)
    let scene = try ClusterScene(settings, keepsTicks: keepsTicks, tracking: false)
    #expect(scene.turn { scene.coordinator.leads })
    return scene
  }

  private func job(_ scene: ClusterScene, _ id: String) throws -> TakenJob {
    try server.command("ZADD", queue, "NX", "5", id)
    scene.coordinator.somethingWaits()
    guard case .job(let job)? = scene.take() else { throw CoordinatorFailure("\(id) waits and is not taken") }
    #expect(job.item.payload == id)
    return job
  }

  /// Says something on a connection that is given up, and waits until another one works.
  private func loseConnection(of scene: ClusterScene, saying body: () -> Void) {
    proxy.hold()
    body()
    #expect(scene.turn { proxy.kept > 0 })
    #expect(scene.turn { !scene.link.isUp })
    #expect(scene.turn { scene.coordinator.reconciled })
    scene.turn(for: .milliseconds(50))
  }

  @Test(arguments: [false, true])
  func aLateTakeTakesNothing(keepsTicks: Bool) throws {
    let scene = try scene(keepsTicks: keepsTicks)
    var lost: TakeResult?
    loseConnection(of: scene) {
      scene.coordinator.take(SlotOwner(prefix: "n1-\(ClusterScene.uuid)-Poller_", slot: 0)) { lost = $0 }
    }
    #expect(lost == .unavailable)
    let other = try job(scene, "8")
    try server.command("ZADD", queue, "NX", "6", "7")
    proxy.deliver()
    #expect(try server.command("ZRANGE", queue, "0", "-1") == "7", "it waits for whoever takes it")
    #expect(try server.command("EXISTS", lock) == "0")
    #expect(try server.command("HGET", note, "poller:0").hasSuffix("\t8"), "the note of the running job stays")
    scene.coordinator.finish(other, hold: nil)
    #expect(try job(scene, "7").lock == lock)
  }

  @Test func aLateEndLeavesTheNextRunAlone() throws {
    let scene = try scene()
    let first = try job(scene, "7")
    loseConnection(of: scene) { scene.coordinator.finish(first, hold: nil) }
    #expect(try server.command("EXISTS", lock) == "0", "told again on the new connection")
    // In the same slot, so under the same owner's name.
    let second = try job(scene, "7")
    #expect(second.owner == first.owner)
    proxy.deliver()
    #expect(try server.command("GET", lock) == second.owner)
    #expect(try server.command("HLEN", note) == "1")
  }

  @Test func aLatePuttingBackLeavesTheNextRunAlone() throws {
    let scene = try scene()
    let first = try job(scene, "7")
    loseConnection(of: scene) { scene.coordinator.putBack(first) }
    #expect(try server.command("ZRANGE", queue, "0", "-1") == "7", "its note has brought it back")
    let second = try job(scene, "7")
    proxy.deliver()
    #expect(try server.command("GET", lock) == second.owner)
    #expect(try server.command("EXISTS", queue) == "0")
    #expect(try server.command("HLEN", note) == "1")
  }

  @Test func aLateRenewalLocksNothingThatHasEnded() throws {
    let scene = try scene()
    let first = try job(scene, "7")
    loseConnection(of: scene) {
      scene.coordinator.adopt(first)
      scene.coordinator.turn(at: .now)
    }
    #expect(try server.command("GET", lock) == first.owner)
    scene.coordinator.finish(first, hold: nil)
    #expect(scene.turn { (try? server.command("EXISTS", lock)) == "0" })
    proxy.deliver()
    #expect(try server.command("EXISTS", lock) == "0")
  }

  /// A look at everything begins with saying who asks; said late, it must not let in what was said after it.
  @Test func aLateLookOpensNoDoorForALateTake() throws {
    let scene = try scene()
    loseConnection(of: scene) {
      scene.coordinator.told(nil)
      scene.coordinator.take(SlotOwner(prefix: "n1-\(ClusterScene.uuid)-Poller_", slot: 0)) { _ in }
    }
    try server.command("ZADD", queue, "NX", "6", "7")
    proxy.deliver()
    #expect(try server.command("ZRANGE", queue, "0", "-1") == "7")
    #expect(try job(scene, "7").lock == lock)
  }

  /// Whoever left it there: a slot that takes is free, so what is noted for it runs nowhere.
  @Test(arguments: [false, true])
  func aStrangeNoteInTheFieldOfASlotIsPutBack(keepsTicks: Bool) throws {
    let scene = try scene(keepsTicks: keepsTicks)
    let owner = "n1-\(ClusterScene.uuid)-Poller_0-1"
    try server.command("SET", lock, owner, "EX", "300")
    try server.command("HSET", note, "poller:0", "0\t5\t\(lock)\t\(owner)\t7")
    try server.command("ZADD", queue, "NX", "1", "8")
    scene.coordinator.somethingWaits()
    guard case .job(let job)? = scene.take() else { return #expect(Bool(false), "8 waits") }
    #expect(job.item.payload == "8")
    #expect(try server.command("ZRANGE", queue, "0", "-1", "WITHSCORES") == "7\n5")
    #expect(try server.command("EXISTS", lock) == "0")
  }
}
