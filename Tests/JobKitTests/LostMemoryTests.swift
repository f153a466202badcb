import Core
import RedisFixture
import Testing

@testable import JobKit

/// A server that loses its data without ending any connection, and can't tell: without CLIENT TRACKING, as Redis 5.
@Suite(.serialized) struct LostMemoryTests {
  private static let lock = "librenms.lock:poller.device.7"

  /// Runs a job whose lock would not be renewed for minutes.
  private func play(mayLead: Bool, _ body: (RedisServer, ClusterScene) throws -> Void) throws {
    let server = try RedisServer()
    try server.command("SET", "librenms.memory", "a leader's before")
    try server.command("ZADD", "librenms.queue:poller:0", "5", "7")
    let scene = try ClusterScene(server.settings, ttl: .seconds(900), mayLead: mayLead, tracking: false)
    #expect(scene.turn { if case .job? = scene.take() { true } else { false } })
    #expect(!scene.link.isTracking)
    // Nothing is lost: nothing happens.
    scene.turn(for: .milliseconds(2500))
    #expect(warnings(scene) == 0)
    try body(server, scene)
    #expect(scene.turn(until: .seconds(3)) { (try? server.command("EXISTS", Self.lock)) == "1" }, "the job's lock is back")
    scene.turn(for: .milliseconds(2500))
    #expect(warnings(scene) == 1, "said once")
  }

  private func warnings(_ scene: ClusterScene) -> Int { scene.lines.all.count { $0.hasPrefix("warning Redis has lost") } }

  @Test(arguments: [true, false])
  func locksOfRunningJobsComeBackWithinSeconds(mayLead: Bool) throws {
    try play(mayLead: mayLead) { server, _ in try server.command("FLUSHALL") }
  }

  @Test func alsoWhenAnotherNodeHasSeenTheLossBefore() throws {
    try play(mayLead: true) { server, _ in
      try server.command(
        "EVAL", "redis.call('FLUSHALL'); return redis.call('SET', 'librenms.memory', 'another leader')", "0")
    }
  }

  @Test func aLeaderWaitsForTheOthersAndThenMarksTheServerAnew() throws {
    try play(mayLead: true) { server, scene in
      #expect(scene.coordinator.leads)
      let marked = try server.command("GET", "librenms.memory")
      #expect(marked == "a leader's before", "a mark is never overwritten")
      try server.command("FLUSHALL")
      #expect(scene.turn(until: .seconds(3)) { !scene.coordinator.leads })
      #expect(scene.turn(until: .seconds(6)) { scene.coordinator.leads })
      #expect(scene.turn(until: .seconds(3)) { (try? server.command("GET", "librenms.memory").hasPrefix("n1-")) == true })
    }
  }
}
