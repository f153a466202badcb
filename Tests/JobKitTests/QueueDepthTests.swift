import Core
import RedisFixture
import Testing

@testable import JobKit

/// How many members wait, as a node reports it, on a real server.
@Suite(.serialized) struct QueueDepthTests {
  private func fill(_ server: RedisServer) throws {
    try server.command("ZADD", "librenms.queue:poller:0", "5", "1", "6", "2")
    try server.command("ZADD", "librenms.queue:poller:3", "4", "3")
    try server.command("ZADD", "librenms.queue:poller:7", "1", "4")
  }

  @Test(arguments: [true, false])
  func aChildThatTakesNothingKnowsWhatWaitsForItsGroups(withScripts: Bool) throws {
    let server = try RedisServer()
    try fill(server)
    var settings = server.settings
    if !withScripts {
      try server.command("ACL", "SETUSER", "limited", "on", ">secret", "~librenms.*", "&*", "+@all", "-@scripting")
      settings.user = "limited"
      settings.password = "secret"
    }
    let scene = try ClusterScene(settings, groups: [0, 3])
    #expect(!scene.coordinator.depthIsKnown)
    #expect(scene.turn { scene.coordinator.depthIsKnown })
    #expect(scene.coordinator.depth == 3, "the third queue is another node's")
  }

  @Test func takesTellItTooAndAnAbsentServerNothing() throws {
    let server = try RedisServer()
    try fill(server)
    let scene = try ClusterScene(server.settings, groups: [0, 3])
    #expect(scene.turn { scene.coordinator.depthIsKnown })
    guard case .job(let job)? = scene.take() else { return #expect(Bool(false), "three wait") }
    #expect(job.item.payload == "3")
    #expect(scene.coordinator.depth == 2)
    server.kill()
    #expect(scene.turn { !scene.coordinator.depthIsKnown })
    try server.start()
    #expect(scene.turn { scene.coordinator.depthIsKnown })
    #expect(scene.coordinator.depth == 0, "it came back empty")
  }
}
