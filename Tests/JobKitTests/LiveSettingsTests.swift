import Core
import RedisFixture
import Testing

@testable import JobKit

/// Settings that a running child of a cluster takes over, on a real server.
@Suite(.serialized) struct LiveSettingsTests {
  private func leadingScene(_ server: RedisServer) throws -> ClusterScene {
    try server.command("SET", "librenms.memory", "before")
    let scene = try ClusterScene(server.settings)
    #expect(scene.turn { scene.coordinator.leads })
    return scene
  }

  @Test func newGroupsAreServedAndToldOf() throws {
    let server = try RedisServer()
    let scene = try leadingScene(server)
    #expect(scene.turn { scene.link.isTracking })
    try server.command("ZADD", "librenms.queue:poller:7", "5", "1")
    #expect(scene.take() == .empty)
    #expect(scene.turn { !scene.coordinator.needsPolling })
    scene.settings.groups = [7, 0]
    scene.coordinator.settingsChanged()
    guard case .job(let job)? = scene.take() else { return #expect(Bool(false), "a member of the new group waits") }
    #expect(job.item.group == 7)
    #expect(scene.take(slot: 1) == .empty)
    #expect(scene.turn { !scene.coordinator.needsPolling }, "each queue is watched")
    let wakes = scene.wakes
    try server.command("ZADD", "librenms.queue:poller:7", "5", "2")
    #expect(scene.turn(until: .milliseconds(800)) { scene.wakes > wakes })
    scene.settings.groups = [0]
    scene.coordinator.settingsChanged()
    #expect(scene.take(slot: 1) == .empty, "what was this node's is no more")
  }

  @Test func theMasterTimeoutCountsFromTheNextRenewal() throws {
    let server = try RedisServer()
    let scene = try leadingScene(server)
    scene.settings.masterTtl = .seconds(40)
    #expect(scene.turn(until: .seconds(3)) { Int((try? server.command("PTTL", "librenms.lock:dispatch.master")) ?? "") ?? 0 > 30_000 })
    scene.settings.masterTtl = .seconds(8)
    #expect(
      scene.turn(until: .seconds(3)) {
        let left = Int((try? server.command("PTTL", "librenms.lock:dispatch.master")) ?? "") ?? 0
        return left > 5000 && left <= 8000
      })
  }

  @Test func anotherNameTakesTheLeadOverFromTheOldOneAndJobsKeepTheirLocks() throws {
    let server = try RedisServer()
    let scene = try leadingScene(server)
    #expect(scene.enqueue(["1", "2"]) == .done)
    guard case .job(let job)? = scene.take() else { return #expect(Bool(false), "two wait") }
    scene.settings.name = "renamed"
    scene.coordinator.settingsChanged()
    #expect(!scene.coordinator.leads, "not before the server has agreed")
    #expect(scene.turn(until: .seconds(1)) { scene.coordinator.leads })
    #expect(try server.command("GET", "librenms.lock:dispatch.master") == "renamed-\(ClusterScene.uuid)")
    #expect(scene.enqueue(["3"]) == .done)
    guard case .job(let later)? = scene.take(slot: 1) else { return #expect(Bool(false), "two wait") }
    #expect(try server.command("GET", later.lock) == "renamed-\(ClusterScene.uuid)-Poller_0-2")
    #expect(try server.command("GET", job.lock) == "n1-\(ClusterScene.uuid)-Poller_0-1")
    scene.coordinator.finish(job, hold: nil)
    #expect(scene.turn(until: .seconds(1)) { (try? server.command("EXISTS", job.lock)) == "0" })
  }

  /// The other children of the node hear of the new name a moment later, and ask once more under the old one.
  @Test func aSiblingThatStillUsesTheOldNameGivesTheLeadUp() throws {
    let server = try RedisServer()
    let first = try leadingScene(server)
    let second = try ClusterScene(server.settings, type: .discovery)
    #expect(second.turn { second.coordinator.leads }, "one owner for all children of a node")
    first.settings.name = "renamed"
    first.coordinator.settingsChanged()
    second.turn(for: .milliseconds(1200))
    second.settings.name = "renamed"
    second.coordinator.settingsChanged()
    #expect(
      first.turn(until: .seconds(3)) {
        second.turn(for: .milliseconds(50))
        return first.coordinator.leads && second.coordinator.leads
      })
    #expect(try server.command("GET", "librenms.lock:dispatch.master") == "renamed-\(ClusterScene.uuid)")
  }
}
