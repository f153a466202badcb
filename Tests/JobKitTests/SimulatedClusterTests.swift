import Core
import Redis
import Simulation
import Testing

@testable import JobKit

/// Two nodes and a simulated Redis: the coordinators run on it as on a real one.
@Suite struct SimulatedClusterTests {
  private let scene = SimulatedScene()
  private let first: SimulatedScene.Node
  private let second: SimulatedScene.Node

  init() {
    let scene = scene
    // The leader of an empty server would wait for the other nodes.
    scene.server.command("SET", "librenms.memory", "before")
    let first = scene.addNode()
    #expect(scene.run(for: .seconds(5)) { first.coordinator.leads })
    second = scene.addNode()
    self.first = first
    let second = second
    #expect(scene.run(for: .seconds(5)) { second.coordinator.reconciled && second.link.isTracking })
  }

  private func job(_ result: TakeResult?) throws -> TakenJob {
    guard case .job(let job)? = result else { throw CoordinatorFailure("\(String(describing: result)) is no job") }
    return job
  }

  @Test func whatOneNodeQueuesBothWorkOff() throws {
    let begun = scene.loop.now
    #expect(scene.enqueue(second, ["1"]) == .refused, "it does not lead")
    #expect(scene.enqueue(first, ["1", "2", "3"]) == .done)
    #expect(scene.enqueue(first, ["1"]) == .done, "it waits already")
    let jobs = [try job(scene.take(first)), try job(scene.take(second)), try job(scene.take(second, slot: 1))]
    #expect(jobs.map(\.item.payload) == ["1", "2", "3"])
    #expect(scene.take(first, slot: 1) == .empty)
    #expect(scene.server.text("librenms.lock:poller.device.2") == jobs[1].owner)
    #expect(scene.server.fields("librenms.inflight:\(second.uuid)").count == 2)
    first.coordinator.finish(jobs[0], hold: nil)
    second.coordinator.finish(jobs[1], hold: .seconds(300))
    second.coordinator.finish(jobs[2], hold: nil)
    scene.run(for: .seconds(1))
    #expect(scene.server.keys.filter { $0.hasPrefix("librenms.lock:poller") } == ["librenms.lock:poller.device.2"])
    #expect(scene.server.keys.filter { $0.hasPrefix("librenms.inflight") }.isEmpty)
    #expect(scene.enqueue(first, ["2"]) == .done, "its lock is held, so it is left out")
    #expect(scene.take(first) == .empty)
    #expect(scene.loop.now - begun < .seconds(3))
  }

  @Test func locksOfRunningJobsOutliveTheirFirstLifetime() throws {
    #expect(scene.enqueue(first, ["1"]) == .done)
    _ = try job(scene.take(second))
    scene.run(for: .seconds(3600))
    #expect(scene.server.text("librenms.lock:poller.device.1")?.contains(second.uuid) == true)
    // Without its node it ends.
    second.path.cut()
    scene.run(for: .seconds(61))
    #expect(scene.server.text("librenms.lock:poller.device.1") == nil)
  }

  @Test func anotherNodeLeadsWhenTheLeadersLinkIsCut() throws {
    let begun = scene.loop.now
    first.path.cut()
    let (first, second) = (first, second)
    #expect(scene.run(for: .seconds(40)) { second.coordinator.leads })
    #expect(!first.coordinator.leads, "never two")
    #expect(scene.loop.now - begun > .seconds(18), "the lock had to lapse")
    #expect(scene.run(for: .seconds(10)) { first.link.isAway })
    first.path.heal()
    #expect(scene.run(for: .seconds(5)) { first.coordinator.reconciled })
    #expect(second.coordinator.leads && !first.coordinator.leads)
    #expect(first.lines.all.filter { $0.hasPrefix("error Redis away") }.count == 1)
  }

  @Test func twoRunsOfOneSeedAreTheSame() {
    func trace(_ seed: UInt64) -> [String] {
      let scene = SimulatedScene(seed: seed)
      var lines: [String] = []
      scene.server.trace = { [loop = scene.loop] in lines.append("\(loop.now.nanoseconds) \($0) \($1) \($2)") }
      let nodes = [scene.addNode(), scene.addNode()]
      scene.run(for: .seconds(5))
      _ = scene.enqueue(nodes[0], ["1", "2"])
      nodes[0].path.dropConnections()
      scene.run(for: .seconds(30))
      return lines
    }
    let once = trace(7)
    #expect(once.count > 100)
    #expect(once == trace(7))
    #expect(once != trace(8), "latencies are drawn")
  }
}
