import Core
import RedisFixture
import Testing

@testable import Redis

@Suite(.serialized) struct TrackingTests {
  private let key = "librenms.queue:poller:0"

  private func track(_ scene: LinkScene) -> Int64? {
    var count: Int64?
    scene.link.track([key]) { count = try? $0.get() }
    scene.test.turn { count != nil }
    return count
  }

  @Test func aChangeWakesOncePerQuestion() throws {
    let server = try RedisServer()
    let scene = try LinkScene(server.settings, tracking: true)
    #expect(scene.test.turn { scene.link.isTracking })
    #expect(scene.invalidations == [nil], "what changed before is unknown")
    #expect(track(scene) == 0)
    scene.test.turn(for: .milliseconds(100))
    #expect(scene.invalidations.count == 1)
    // The change of another connection, of a key that did not exist.
    try server.command("ZADD", key, "1", "5")
    #expect(scene.test.turn { scene.invalidations.count == 2 })
    #expect(scene.invalidations.last == [key])
    // Not asked again: nothing.
    try server.command("ZADD", key, "1", "6")
    scene.test.turn(for: .milliseconds(100))
    #expect(scene.invalidations.count == 2)
    #expect(track(scene) == 1)
    // A change of this link's own counts, too.
    _ = scene.ask("ZREM", RedisArgument(key), "5")
    #expect(scene.test.turn { scene.invalidations.count == 3 })
    // Other keys that are read are not tracked.
    _ = scene.ask("GET", "lock")
    try server.command("SET", "lock", "x")
    scene.test.turn(for: .milliseconds(100))
    #expect(scene.invalidations.count == 3)
    _ = track(scene)
    try server.command("FLUSHALL")
    #expect(scene.test.turn { scene.invalidations.count == 4 })
  }

  @Test func aLostListenerIsReplaced() throws {
    let server = try RedisServer()
    let scene = try LinkScene(server.settings, tracking: true)
    #expect(scene.test.turn { scene.link.isTracking })
    _ = track(scene)
    try server.command("CLIENT", "KILL", "TYPE", "pubsub")
    #expect(scene.test.turn { !scene.link.isTracking })
    #expect(scene.invalidations == [nil, nil], "the loss is told")
    #expect(scene.test.turn { scene.link.isTracking })
    #expect(scene.changes == [true])
    _ = track(scene)
    try server.command("ZADD", key, "1", "5")
    #expect(scene.test.turn { scene.invalidations.last == [self.key] })
  }

  @Test func aRestartedServerTracksAgain() throws {
    let server = try RedisServer()
    let scene = try LinkScene(server.settings, tracking: true)
    #expect(scene.test.turn { scene.link.isTracking })
    server.kill()
    #expect(scene.isDown())
    #expect(!scene.link.isTracking)
    try server.start()
    #expect(scene.test.turn { scene.link.isTracking })
    #expect(track(scene) == 0)
    try server.command("ZADD", key, "1", "5")
    #expect(scene.test.turn { scene.invalidations.last == [self.key] })
    #expect(try server.command("CLIENT", "LIST").split(separator: "\n").count { $0.contains("name=scene") } == 2)
  }
}
