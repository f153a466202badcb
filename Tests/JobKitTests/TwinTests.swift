import Core
import RedisFixture
import Testing

@testable import JobKit

/// Two services with one node's name: a container that is replaced start-first, a cloned machine. Each has a job table of its own.
@Suite(.serialized) struct TwinTests {
  private let queue = OneDevice.queue
  private let lock = OneDevice.lock
  private let server: RedisServer

  init() throws { server = try OneDevice().server }

  private func twin(_ number: UInt64, withScripts: Bool = true, lifetime: Duration = .seconds(15)) throws -> ClusterScene {
    try ClusterScene(try server.settings(withScripts: withScripts), number: number, markLifetime: lifetime)
  }

  private func take(_ scene: ClusterScene) throws -> TakenJob {
    var taken: TakenJob?
    #expect(
      scene.turn {
        if case .job(let job)? = scene.take() { taken = job } else { scene.coordinator.somethingWaits() }; return taken != nil
      })
    guard let taken else { throw CoordinatorFailure("nothing to take: \(scene.lines.all)") }
    return taken
  }

  @Test(arguments: [true, false])
  func theSecondOneWaitsUntilTheFirstHasStopped(withScripts: Bool) throws {
    let first = try twin(1, withScripts: withScripts)
    #expect(first.turn { first.coordinator.leads })
    let job = try take(first)
    let second = try twin(2, withScripts: withScripts)
    #expect(second.turn { second.link.isUp })
    // Both turn, each second.
    for _ in 0..<20 {
      second.turn(for: .milliseconds(100))
      first.turn(for: .milliseconds(10))
    }
    #expect(try server.command("GET", lock) == job.owner)
    #expect(try server.command("EXISTS", queue) == "0", "what the first one runs is not queued again")
    #expect(first.coordinator.leads && !second.coordinator.leads)
    #expect(second.take() == .unavailable)
    #expect(second.enqueue(["70"]) == .refused)
    #expect(second.coordinator.fault?.contains("NODE_ID") == true && first.coordinator.fault == nil)
    #expect(!second.coordinator.isAway)
    // A Python node beside them works as ever.
    try server.command("ZADD", queue, "NX", "6", "8")
    first.turn(for: .milliseconds(100))
    #expect(try server.command("ZPOPMIN", queue) == "8\n6")
    #expect(try server.command("SET", "librenms.lock:poller.device.8", "py-1-Poller_0-1", "EX", "300", "NX") == "OK")
    first.coordinator.finish(job, hold: nil)
    var hasLeft = false
    first.coordinator.leave { hasLeft = true }
    #expect(first.turn { hasLeft })
    #expect(try server.command("KEYS", "librenms.alive:*") == "")
    #expect(second.turn(until: .seconds(3)) { second.coordinator.leads }, "\(second.lines.all)")
    try server.command("ZADD", queue, "NX", "6", "9")
    #expect(try take(second).item.payload == "9")
    #expect(try server.command("GET", "librenms.lock:poller.device.8") == "py-1-Poller_0-1")
    #expect(second.coordinator.fault == nil)
    let warnings = second.lines.all.filter { $0.hasPrefix("warning") && $0.contains("NODE_ID") }
    #expect(warnings.count == 1, "\(second.lines.all)")
  }

  @Test(arguments: [true, false])
  func aDeadOnesWorkIsTakenOverWhenItsMarkHasLapsed(withScripts: Bool) throws {
    let first = try twin(1, withScripts: withScripts, lifetime: .seconds(3))
    let job = try take(first)
    first.link.stop()
    let second = try twin(2, withScripts: withScripts, lifetime: .seconds(3))
    second.turn(for: .milliseconds(1200))
    #expect(second.take() == .unavailable)
    let again = try take(second)
    #expect(again.item.payload == "7" && again.owner == job.owner)
    // It was not dead, only cut off: now it is the one that waits, and its job's end touches nothing.
    first.link.start()
    #expect(first.turn { first.link.isUp })
    first.turn(for: .milliseconds(200))
    first.coordinator.finish(job, hold: nil)
    #expect(first.take() == .unavailable)
    #expect(!first.coordinator.leads)
    #expect(try server.command("GET", lock) == again.owner)
    #expect(try server.command("HLEN", OneDevice.note) == "1")
  }

  /// The same job table: a child that was killed and is there again.
  @Test func oneWithTheSameTableWaitsForNothing() throws {
    do {
      let dead = try twin(1)
      _ = try take(dead)
    }
    let scene = try twin(1)
    #expect(scene.turn(until: .seconds(1)) { scene.coordinator.reconciled })
    #expect(scene.turn(until: .seconds(2)) { (try? server.command("ZRANGE", queue, "0", "-1")) == "7" })
    #expect(!scene.lines.all.contains { $0.contains("NODE_ID") })
  }

  /// A node that was frozen for so long that its mark is gone: no twin came, so it goes on.
  @Test(arguments: [true, false])
  func aMarkThatIsLostIsSetAgain(withScripts: Bool) throws {
    let scene = try twin(1, withScripts: withScripts, lifetime: .seconds(3))
    let job = try take(scene)
    try server.command("DEL", "librenms.alive:\(ClusterScene.uuid):poller")
    scene.coordinator.finish(job, hold: nil)
    #expect(scene.turn(until: .seconds(3)) { (try? server.command("EXISTS", "librenms.alive:\(ClusterScene.uuid):poller")) == "1" })
    #expect(scene.turn(until: .seconds(3)) { (try? server.command("EXISTS", lock)) == "0" }, "the end was told all the same")
    try server.command("ZADD", queue, "NX", "6", "9")
    #expect(try take(scene).item.payload == "9")
    #expect(scene.lines.all.allSatisfy { !$0.hasPrefix("error") }, "\(scene.lines.all)")
  }
}
