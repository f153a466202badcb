import Core
import RedisFixture
import Testing

@testable import JobKit

/// The lock of a running job is gone from Redis (evicted, deleted by hand), so whoever leads queues its device again.
@Suite(.serialized) struct VanishedLockTests {
  private let queue = OneDevice.queue
  private let lock = OneDevice.lock
  private let note = OneDevice.note
  private let server: RedisServer

  init() throws { server = try OneDevice().server }

  private func scene(withScripts: Bool = true, keepsTicks: Bool = false) throws -> ClusterScene {
    let scene = try ClusterScene(try server.settings(withScripts: withScripts), ttl: .seconds(900), keepsTicks: keepsTicks)
    #expect(scene.turn { scene.coordinator.reconciled })
    return scene
  }

  private func losesItsLock(_ scene: ClusterScene) throws {
    try server.command("DEL", lock)
    try server.command("ZADD", queue, "NX", "6", "7")
    scene.coordinator.somethingWaits()
  }

  @Test(arguments: [true, false])
  func itIsNotBegunAgainAndTheLockIsTheRunningJobsAgain(withScripts: Bool) throws {
    let scene = try scene(withScripts: withScripts)
    guard case .job(let running)? = scene.take(slot: 3) else { return #expect(Bool(false), "7 waits") }
    for _ in 0..<3 {
      try losesItsLock(scene)
      #expect(scene.take(slot: 0) == .empty)
      scene.turn(for: .milliseconds(50))
      #expect(try server.command("GET", lock) == running.owner)
      #expect(try (Int(server.command("PTTL", lock)) ?? 0) > 800_000)
      #expect(try server.command("HKEYS", note) == "poller:3")
      #expect(try server.command("EXISTS", queue) == "0")
    }
    #expect(scene.lines.all.count { $0.hasPrefix("warning \(lock)") } == 1, "\(scene.lines.all)")
    // The slot gets what else there is.
    try losesItsLock(scene)
    try server.command("ZADD", queue, "NX", "9", "8")
    guard case .job(let other)? = scene.take(slot: 0) else { return #expect(Bool(false), "8 waits") }
    #expect(other.item.payload == "8")
    scene.coordinator.finish(running, hold: nil)
    #expect(scene.turn { (try? server.command("EXISTS", lock)) == "0" })
  }

  /// A flush, or tracking that has just come up: the notes of all jobs are read while the duplicate's is still there.
  @Test(arguments: [true, false])
  func aLookAtTheNotesDoesNotQueueTheDuplicateAgain(withScripts: Bool) throws {
    let scene = try scene(withScripts: withScripts)
    guard case .job(let running)? = scene.take(slot: 3) else { return #expect(Bool(false), "7 waits") }
    for _ in 0..<3 {
      try losesItsLock(scene)
      // Its first answer comes before that of the take, so the notes are asked for before the duplicate's is taken away.
      scene.coordinator.told(nil)
      #expect(scene.take(slot: 0) == .empty)
      scene.turn(for: .milliseconds(50))
      #expect(try server.command("GET", lock) == running.owner)
      #expect(try server.command("HKEYS", note) == "poller:3")
      #expect(try server.command("EXISTS", queue) == "0")
    }
    #expect(!scene.lines.all.contains { $0.contains("back in the queue") }, "\(scene.lines.all)")
  }

  /// A predecessor's, which this one has never taken itself.
  @Test func anAdoptedJobIsNotBegunAgain() throws {
    let scene = try scene()
    let owner = "n1-\(ClusterScene.uuid)-Poller_0-4"
    scene.coordinator.adopt(TakenJob(item: QueueItem(payload: "7", group: 0, score: 5), lock: lock, owner: owner, slot: 3))
    scene.coordinator.somethingWaits()
    #expect(scene.take(slot: 0) == .empty)
    scene.turn(for: .milliseconds(50))
    #expect(try server.command("GET", lock) == owner)
  }

  /// What takes it before us is another node's, and its lock stays; the renewal says so.
  @Test func anotherNodesLockIsNotTakenFromIt() throws {
    let scene = try scene()
    guard case .job(let running)? = scene.take(slot: 3) else { return #expect(Bool(false), "7 waits") }
    try server.command("SET", lock, "py-1-Poller_0-1", "EX", "300")
    scene.coordinator.adopt(running)
    scene.coordinator.turn(at: .now)
    #expect(scene.turn { scene.lines.all.contains { $0.contains("is held by py-1-Poller_0-1; the job goes on") } })
    #expect(try server.command("GET", lock) == "py-1-Poller_0-1")
  }

  @Test(arguments: [true, false])
  func aTickGoesOnWaitingForTheEndOfItsLastRun(withScripts: Bool) throws {
    let scene = try scene(withScripts: withScripts, keepsTicks: true)
    guard case .job(let running)? = scene.take(slot: 0) else { return #expect(Bool(false), "7 waits") }
    try losesItsLock(scene)
    #expect(scene.take(slot: 1) == .empty)
    scene.turn(for: .milliseconds(50))
    #expect(try server.command("GET", lock) == running.owner)
    #expect(try server.command("ZRANGE", queue, "0", "-1") == "7")
    scene.coordinator.finish(running, hold: nil)
    scene.turn(for: .milliseconds(50))
    scene.coordinator.somethingWaits()
    guard case .job? = scene.take(slot: 1) else { return #expect(Bool(false), "its tick waits: \(scene.lines.all)") }
  }
}
