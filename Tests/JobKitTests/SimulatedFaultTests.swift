import Core
import Redis
import Simulation
import Testing

@testable import JobKit

/// Each fault of the simulated Redis and of the way to it, by what it does to a node that takes work.
@Suite struct SimulatedFaultTests {
  private let scene = SimulatedScene()
  private let node: SimulatedScene.Node
  private let queue = "librenms.queue:poller:0"
  private let lock = "librenms.lock:poller.device.1"

  private var server: SimulatedRedis { scene.server }

  init() {
    let scene = scene
    scene.server.command("SET", "librenms.memory", "before")
    let node = scene.addNode()
    #expect(scene.run(for: .seconds(5)) { node.coordinator.leads && node.link.isTracking })
    self.node = node
    #expect(scene.enqueue(node, ["1"]) == .done)
  }

  private var queued: [String] { server.members(queue).map(\.member) }
  private var notes: [String: String] { server.fields("librenms.inflight:\(node.uuid)") }

  private func isBack(within limit: Duration) -> Bool { scene.run(for: limit) { node.coordinator.reconciled && node.link.isUp } }

  private func job() throws -> TakenJob {
    guard case .job(let job)? = scene.take(node) else { throw CoordinatorFailure("nothing is taken") }
    return job
  }

  // MARK: The network

  @Test func lostBeforeItsEffectATakeTakesNothing() throws {
    node.path.breakNextPacket(.beforeEffect)
    #expect(scene.take(node) == .unavailable)
    #expect(queued == ["1"] && notes.isEmpty && server.text(lock) == nil)
    #expect(isBack(within: .seconds(2)))
    #expect(try job().item.payload == "1")
  }

  @Test func lostAfterItsEffectATakeIsUndone() throws {
    node.path.breakNextPacket(.afterEffect)
    #expect(scene.take(node) == .unavailable)
    #expect(queued.isEmpty && notes.count == 1 && server.text(lock) != nil)
    #expect(isBack(within: .seconds(2)))
    scene.run(for: .milliseconds(10))
    #expect(queued == ["1"] && notes.isEmpty && server.text(lock) == nil)
    #expect(node.lines.all.contains { $0.contains("1 jobs that were taken and never started are back in the queue") })
  }

  @Test func aPacketMayArriveInPart() {
    var carriedOut: Set<Int> = []
    for _ in 0..<20 {
      #expect(isBack(within: .seconds(5)))
      node.path.breakNextPacket(.midway)
      var failures = 0
      for number in 0..<3 {
        node.link.send(["SET", "part.\(number)", "x"]) { (result: Result<RedisReply, RedisError>) in
          if case .failure(let error) = result, error.kind == .lost { failures += 1 }
        }
      }
      scene.run(for: .milliseconds(10)) { failures == 3 }
      #expect(failures == 3)
      let there = server.keys.filter { $0.hasPrefix("part.") }
      #expect(there == ["part.0", "part.1", "part.2"].prefix(there.count).map { $0 })
      carriedOut.insert(there.count)
      for key in there { server.command("DEL", key) }
    }
    #expect(carriedOut == [0, 1, 2])
  }

  @Test func whatArrivesLateFromAConnectionThatWasGivenUpIsRefused() throws {
    node.path.breakNextPacket(.late(.seconds(9)))
    #expect(scene.take(node) == .unavailable)
    #expect(isBack(within: .seconds(2)))
    var stale = 0
    server.trace = { _, _, answer in if case .error(let error) = answer, error.text.hasPrefix("STALE") { stale += 1 } }
    scene.run(for: .seconds(10))
    #expect(stale > 0)
    #expect(queued == ["1"] && notes.isEmpty)
  }

  @Test(arguments: [false, true])
  func whatWasSentIntoACutArrivesWhenItHealsOrNever(isDelivered: Bool) {
    node.path.cut()
    node.link.send(["SET", "late", "x"]) { (_: Result<RedisReply, RedisError>) in }
    scene.run(for: .seconds(20))
    #expect(!node.link.isUp && node.link.isAway)
    #expect(server.text("late") == nil)
    node.path.heal(delivering: isDelivered)
    #expect(isBack(within: .seconds(5)))
    #expect((server.text("late") != nil) == isDelivered)
  }

  @Test func anAnswerThatIsLostEndsItsConnectionAndIsNotTakenForTheNext() {
    var answers: [Result<RedisReply, RedisError>] = []
    node.link.send(["SET", "there", "x"]) { (result: Result<RedisReply, RedisError>) in answers.append(result) }
    #expect(scene.run(for: .seconds(1)) { server.text("there") != nil })
    node.path.cut()
    scene.run(for: .seconds(1))
    #expect(answers.isEmpty)
    node.path.heal(delivering: false)
    scene.run(for: .milliseconds(1))
    #expect(answers.count == 1)
    if case .failure(let error)? = answers.first { #expect(error.kind == .lost) } else { Issue.record("\(answers)") }
    #expect(isBack(within: .seconds(2)))
  }

  @Test func whatAKilledProcessHasSentArrivesAndNobodyIsAnswered() {
    var answers = 0
    node.link.send(["SET", "sent", "x"]) { (_: Result<RedisReply, RedisError>) in answers += 1 }
    // Commands leave at the end of the turn.
    scene.run(for: .microseconds(1))
    node.path.die()
    node.link.send(["SET", "afterwards", "x"]) { (_: Result<RedisReply, RedisError>) in }
    scene.run(for: .seconds(30))
    #expect(server.text("sent") == "x" && server.text("afterwards") == nil && answers == 0)
    #expect(server.keys.contains("librenms.lock:dispatch.master") == false, "nothing renews the lead")
  }

  @Test func slownessIsNoOutage() {
    node.path.latency = .milliseconds(200) ... .milliseconds(900)
    let begun = scene.loop.now
    _ = scene.take(node)
    #expect(scene.loop.now - begun >= .milliseconds(400))
    scene.run(for: .seconds(120))
    #expect(node.link.isUp && node.coordinator.leads)
  }

  // MARK: The server

  @Test func aRestartWithoutItsDataIsMended() throws {
    _ = try job()
    server.stop()
    scene.run(for: .seconds(5))
    #expect(node.link.isAway)
    #expect(node.link.reason?.text.hasSuffix("Connection refused") == true)
    server.start(keepingData: false)
    #expect(isBack(within: .seconds(3)))
    scene.run(for: .milliseconds(10))
    #expect(server.text(lock) != nil, "the lock of the job that runs is set again")
  }

  @Test func aRestartWithItsDataLosesNothing() throws {
    _ = try job()
    server.stop()
    scene.run(for: .seconds(5))
    server.start(keepingData: true)
    #expect(isBack(within: .seconds(3)))
    #expect(server.text(lock) != nil && notes.count == 1)
  }

  @Test func aServerThatHangsCountsAsAway() {
    server.freeze()
    #expect(scene.take(node) == .unavailable)
    #expect(!node.link.isUp)
    scene.run(for: .seconds(20))
    server.thaw()
    #expect(isBack(within: .seconds(5)))
    scene.run(for: .seconds(2))
    #expect(queued == ["1"] && notes.isEmpty, "the late take was refused, or put back")
  }

  @Test func aFlushIsSeen() throws {
    _ = try job()
    server.flush()
    scene.run(for: .seconds(3))
    #expect(server.text(lock) != nil)
    #expect(node.lines.all.contains { $0.contains("lost queues and locks") })
    #expect(node.link.isUp)
  }

  @Test func aFailoverLosesTheLastWrites() throws {
    server.keepReplica(behind: .milliseconds(500))
    scene.run(for: .seconds(1))
    server.command("SET", "old", "x")
    scene.run(for: .milliseconds(600))
    server.command("SET", "new", "x")
    server.failOver()
    #expect(server.text("old") == "x" && server.text("new") == nil)
    #expect(queued == ["1"])
    #expect(isBack(within: .seconds(2)))
  }

  @Test func anEvictedLockIsSetAgain() throws {
    _ = try job()
    #expect(server.evict(lock))
    #expect(scene.enqueue(node, ["1"]) == .done)
    #expect(scene.take(node, slot: 1) == .empty, "it runs already")
    scene.run(for: .milliseconds(10))
    #expect(server.text(lock)?.hasSuffix("-1") == true)
  }

  @Test func withoutScriptsPlainCommandsAreUsed() throws {
    server.forbidsScripts = true
    node.path.dropConnections()
    #expect(isBack(within: .seconds(3)))
    let job = try job()
    #expect(node.link.scriptsForbidden && server.text(lock) == job.owner)
    node.coordinator.finish(job, hold: nil)
    scene.run(for: .milliseconds(10))
    #expect(server.text(lock) == nil && notes.isEmpty)
  }

  @Test func withoutTrackingItIsLookedForWork() {
    server.forbidsTracking = true
    node.path.dropConnections()
    #expect(isBack(within: .seconds(3)))
    scene.run(for: .seconds(2))
    #expect(!node.link.isTracking && node.coordinator.needsPolling)
  }

  @Test(arguments: [SimulatedRedis.Condition.outOfMemory, .readOnly, .cannotSave, .loading])
  func aServerThatRefusesWritesIsAwayUntilItTakesThem(condition: SimulatedRedis.Condition) {
    server.condition = condition
    // A full server goes on with scripts that have freed something first, so claims and takes pass.
    #expect(scene.enqueue(node, ["2"]) == .refused)
    scene.run(for: .seconds(10))
    #expect(!node.link.isUp && node.link.isAway)
    #expect(scene.take(node) == .unavailable)
    server.condition = .well
    #expect(isBack(within: .seconds(3)))
    #expect(node.lines.all.filter { $0.hasPrefix("error Redis away") }.count == 1)
  }

  @Test func forgottenScriptsAreSentAgain() {
    server.forgetScripts()
    var refusals = 0
    server.trace = { _, _, answer in if case .error(let error) = answer, error.kind == .noScript { refusals += 1 } }
    scene.run(for: .seconds(5))
    #expect(refusals == 1, "the claim of each second")
    #expect(node.link.isUp && node.coordinator.leads)
  }

  @Test func theServersClockIsItsOwn() throws {
    _ = try job()
    server.clockOffset = .seconds(3600)
    #expect(server.text(lock) == nil)
  }
}
