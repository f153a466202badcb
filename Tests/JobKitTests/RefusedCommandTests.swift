import Core
import RedisFixture
import Testing

@testable import JobKit

/// Servers and users that refuse a part of what the work needs.
@Suite(.serialized) struct RefusedCommandTests {
  private let queue = "librenms.queue:poller:0"

  private func play(_ scene: ClusterScene, _ server: RedisServer) throws {
    #expect(scene.turn { scene.coordinator.leads }, "\(scene.lines.all)")
    #expect(scene.enqueue(["7"]) == .done)
    scene.coordinator.somethingWaits()
    guard case .job(let job)? = scene.take() else { return #expect(Bool(false), "7 waits: \(scene.lines.all)") }
    #expect(try server.command("GET", "librenms.lock:poller.device.7") == job.owner)
    scene.coordinator.finish(job, hold: nil)
    #expect(scene.turn { (try? server.command("EXISTS", "librenms.lock:poller.device.7")) == "0" })
    #expect(scene.coordinator.fault == nil)
  }

  @Test(arguments: [["EVAL"], ["EVALSHA"], ["EVAL", "EVALSHA"]])
  func scriptsThatAreRenamedAwayAreDoneWithout(names: [String]) throws {
    let server = try RedisServer(arguments: names.flatMap { ["--rename-command", $0, ""] })
    try server.command("SET", "librenms.memory", "before")
    let scene = try ClusterScene(server.settings)
    try play(scene, server)
    // EVALSHA is met when a script comes the second time.
    scene.turn { scene.lines.all.contains { $0.contains("refuses scripts") } }
    #expect(scene.lines.all.count { $0.contains("refuses scripts") } == 1, "\(scene.lines.all)")
    #expect(scene.lines.all.allSatisfy { !$0.hasPrefix("error") }, "\(scene.lines.all)")
  }

  /// What a Python node needs, and no key of ours: no protection from a twin, but it works.
  @Test func aUserOfTheContractsKeysAloneIsEnough() throws {
    let server = try RedisServer()
    try server.command(
      "ACL", "SETUSER", "limited", "on", ">secret", "~librenms.queue:*", "~librenms.lock:*", "&*", "+@all")
    var settings = server.settings
    (settings.user, settings.password) = ("limited", "secret")
    try play(try ClusterScene(settings), server)
  }

  /// In the word of the command that is refused, without which nothing starts or is queued.
  @Test(arguments: ["zpopmin", "zadd", "set"])
  func whatStopsTheWorkIsNamedUntilItIsAllowed(command: String) throws {
    let server = try RedisServer()
    try server.command("SET", "librenms.memory", "before")
    try server.command(
      "ACL", "SETUSER", "limited", "on", ">secret", "~librenms.*", "&*", "+@all", "-@scripting", "-\(command)")
    var settings = server.settings
    (settings.user, settings.password) = ("limited", "secret")
    let scene = try ClusterScene(settings)
    let named = scene.turn(until: .seconds(4)) {
      _ = scene.enqueue(["7"])
      scene.coordinator.somethingWaits()
      _ = scene.take()
      return scene.coordinator.fault?.contains("'\(command)'") ?? false
    }
    #expect(named, "\(scene.coordinator.fault ?? "no fault"), \(scene.lines.all)")
    #expect(!scene.coordinator.isAway)
    try server.command("ACL", "SETUSER", "limited", "+\(command)")
    let over = scene.turn(until: .seconds(4)) {
      _ = scene.enqueue(["7"])
      scene.coordinator.somethingWaits()
      if case .job(let job)? = scene.take() { scene.coordinator.finish(job, hold: nil) }
      return scene.coordinator.fault == nil
    }
    #expect(over, "\(scene.coordinator.fault ?? ""), \(scene.lines.all)")
  }

  @Test(arguments: ["librenms.inflight:\(ClusterScene.uuid)", "librenms.alive:\(ClusterScene.uuid):poller", "librenms.memory"])
  func keysOfOursThatAreOfAnotherTypeAreInNobodysWay(key: String) throws {
    let server = try RedisServer()
    try server.command("LPUSH", key, "x")
    try play(try ClusterScene(server.settings), server)
  }

  @Test func whatIsNoNoteAndNoTickIsInNobodysWay() throws {
    let server = try RedisServer()
    try server.command("SET", "librenms.memory", "before")
    let note = "librenms.inflight:\(ClusterScene.uuid)"
    try server.command("HSET", note, "poller:0", "\u{1}\u{2}\t\t", "poller:1", "", "poller:x", "y", "poller:99999999999999999999", "z")
    try server.command("SET", "librenms.tick:poller:timed", "yesterday")
    let scene = try ClusterScene(server.settings)
    try play(scene, server)
    #expect(try server.command("HEXISTS", note, "poller:0") == "0" && server.command("HEXISTS", note, "poller:1") == "0")
    var result: EnqueueResult?
    scene.coordinator.enqueue([], respectingLocks: true, tick: TickRun(name: "timed", boundary: 600, period: .seconds(300))) { result = $0 }
    #expect(scene.turn { result == .done })
    #expect(try server.command("GET", "librenms.tick:poller:timed") == "600")
  }

  @Test func nothingIsAwayBeforeTheFirstTryHasFailed() throws {
    let server = try RedisServer()
    let scene = try ClusterScene(server.settings)
    #expect(!scene.coordinator.isAway && !scene.link.isUp, "it is only connecting")
    #expect(scene.turn { scene.link.isUp })
    server.kill()
    #expect(scene.turn { scene.coordinator.isAway })
    #expect(scene.coordinator.fault == nil, "an outage has a name of its own")
    let late = try ClusterScene(server.settings)
    #expect(!late.coordinator.isAway)
    #expect(late.turn { late.coordinator.isAway })
  }

  @Test func whoLeadsIsSaidByOneChildOfTheNode() throws {
    let server = try RedisServer()
    try server.command("SET", "librenms.memory", "before")
    let scenes = try [TaskType.poller, .maintenance].map { try ClusterScene(server.settings, type: $0, speaksForNode: $0 == .maintenance) }
    for scene in scenes { #expect(scene.turn { scene.coordinator.leads }) }
    #expect(scenes.map { $0.lines.all.count { $0 == "info this node dispatches for the cluster" } } == [0, 1])
  }
}
