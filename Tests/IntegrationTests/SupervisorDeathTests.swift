import Fixture
import Glibc
import Testing

extension IntegrationTests {
  @Suite struct SupervisorDeathTests {
    @Test func scriptsOutliveAKilledSupervisorAndAreAdopted() throws {
      try Scene.play(pollingOnly.with(["service_poller_down_retry": 60]), sleep: "6") { scene in
        try scene.server.addDevices(40, lastPolled: spreadOverPeriod)
        try scene.startAndAwaitWork()
        pause(.seconds(6))
        let child = try scene.node.awaitChild("librenms-pollerd").pid
        let killed = wallClock()
        let running = scene.node.journal.running("poller", at: killed)
        #expect(running.count >= 5)
        scene.node.killSupervisor()
        #expect(eventually(within: .seconds(3)) { !ProcessInfo.isAlive(child) }, "a child does not outlive its supervisor")

        // One of the youngest dies while nobody watches: nothing shows that its device was polled.
        let victim = try #require(scene.node.journal.running("poller", at: wallClock()).last)
        kill(-victim.pid, SIGKILL)
        let started = wallClock()
        try scene.node.start()
        let again = eventually(within: .seconds(8)) { scene.node.journal.runs("poller", victim.id).contains { $0.start > started } }
        let delay = (scene.node.journal.runs("poller", victim.id).last?.start ?? .infinity) - started
        progress("the device of the dead script is polled again after \(delay) s")
        #expect(again && delay < 8)
        pause(.seconds(22))
        scene.stopOrderly()

        let journal = scene.node.journal
        #expect(journal.killed("poller").map(\.pid) == [victim.pid], "no other script died")
        expectNoDoubles(journal, except: [victim.id])
        for run in running where run.pid != victim.pid {
          #expect(journal.runs("poller", run.id).first { $0.pid == run.pid }?.exitCode == 0)
        }
        let gaps = journal.pairs("poller").filter { $0.earlier.id != victim.id }.map { $0.later.start - $0.earlier.start }
        #expect((gaps.max() ?? 0) < 27, "nobody waits longer than the outage: \(gaps.max() ?? 0)")
      }
    }

    @Test func theRestartedSupervisorStillEnforcesAnAdoptedScriptsLimit() throws {
      try Scene.play(pollingOnly, environment: ["DISPATCHER_POLLER_JOB_TIMEOUT": "8"]) { scene in
        try scene.server.addDevices(1)
        try scene.node.behave("1", "sleep=600 ignore_term=1 grandchildren=1")
        try scene.startAndAwaitWork()
        let run = try #require(scene.node.journal.runs("poller").first)
        pause(.seconds(2))
        scene.node.killSupervisor()
        try scene.node.start()
        #expect(eventually(within: .seconds(18)) { !ProcessInfo.isAlive(run.pid) })
        let lived = wallClock() - run.start
        progress("gone \(lived) s after its start; its limit was 8 s, and 5 s more for its refusal")
        #expect(lived > 12 && lived < 18)
        #expect(ProcessInfo.all().filter { $0.session == run.pid && $0.state != "Z" }.isEmpty, "and its grandchildren with it")
        scene.stopOrderly()
        #expect(scene.node.journal.overlaps("poller").isEmpty)
      }
    }
  }
}
