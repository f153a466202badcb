import Fixture
import Glibc
import Testing

extension IntegrationTests {
  @Suite struct MemoryGateTests {
    /// Every machine has more than 1 % of its memory in use.
    @Test func withTooLittleMemoryScriptsRunOneAtATimeAndAllAgainAfterwards() throws {
      try Scene.play(pollingOnly, sleep: "0.3") { scene in
        try scene.server.addDevices(12)
        let file = scene.node.base + "/.env"
        let before = readText(file) ?? ""
        try writeText(before + "DISPATCHER_MEMORY_PRESSURE_PERCENT=1\n", to: file, mode: 0o600)
        try scene.startAndAwaitWork()
        #expect(eventually(within: .seconds(15)) { scene.node.journal.ids("poller").count == 12 }, "none is left out")
        let limping = scene.node.journal.runs("poller")
        #expect(zip(limping, limping.dropFirst()).allSatisfy { $0.end ?? .infinity <= $1.start + 0.1 }, "one at a time: \(limping)")
        let said = scene.node.errors.split(separator: "\n").filter { $0.contains("DISPATCHER_MEMORY_PRESSURE_PERCENT=1") }
        #expect(said.contains { $0.contains("scripts start one at a time") }, "\(said)")
        #expect(said.count { $0.contains("scripts start one at a time") } == 1, "said once: \(said)")
        #expect(try scene.node.command("status").output.contains("poller: no memory"))
        #expect(try scene.node.command("health").ending == .exited(0), "it limps, but it polls")

        try writeText(before, to: file, mode: 0o600)
        try scene.server.addDevices(12)
        let reloaded = wallClock()
        #expect(try scene.node.command("reload").ending == .exited(0))
        let open = eventually(within: .seconds(25)) {
          scene.node.journal.runs("poller").contains { run in
            run.start > reloaded && scene.node.journal.running("poller", at: run.start + 0.1).count >= 3
          }
        }
        #expect(open, "several at once again")
        #expect(scene.node.errors.contains("all workers may start scripts again"))
      }
    }

    @Test func limitsThatCantBeAppliedAreSaidOnceAndTheOthersHold() throws {
      let environment = ["DISPATCHER_POLLER_MEMORY_MAX": "512M", "DISPATCHER_POLLER_NICE": "3"]
      try Scene.play(pollingOnly, environment: environment, sleep: "3") { scene in
        try scene.server.addDevices(2)
        try scene.startAndAwaitWork()
        let status = try scene.node.command("status").output
        let lines = scene.node.errors.split(separator: "\n").filter { $0.contains("not in force") }
        if status.contains("poller: limits MEMORY_MAX=512M") {
          #expect(lines.isEmpty, "in force here: \(lines)")
        } else {
          #expect(status.contains("poller: limits NOT in force: MEMORY_MAX=512M"), "\(status)")
          #expect(lines.count == 1 && lines.allSatisfy { $0.contains("DISPATCHER_POLLER_MEMORY_MAX=512M") && $0.contains("Delegate=yes") })
        }
        let script = try #require(scene.node.journal.runs("poller").first)
        let supervisor = try #require(scene.node.dispatcher?.pid)
        #expect(
          getpriority(.init(PRIO_PROCESS.rawValue), id_t(script.pid)) == getpriority(.init(PRIO_PROCESS.rawValue), id_t(supervisor)) + 3)
      }
    }
  }
}
