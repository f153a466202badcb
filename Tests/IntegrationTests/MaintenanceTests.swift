import Fixture
import Glibc
import Testing

extension IntegrationTests {
  @Suite struct MaintenanceTests {
    private let everyFewSeconds = pollingOnly.with(["service_update_enabled": true, "service_update_frequency": 6])

    @Test func dailyRunsOncePerTickAndTheConfigurationIsReadAfterwards() throws {
      // A reading that changes nothing is worth a line at this level only.
      try Scene.play(everyFewSeconds.with(["service_loglevel": "DEBUG"]), sleep: "0.2") { scene in
        try scene.server.addDevices(4, lastPolled: spreadOverPeriod)
        let began = try scene.startAndAwaitWork("maintenance", within: .seconds(40))
        #expect(eventually(within: .seconds(20)) { scene.node.errors.contains("daily.sh has ended") }, "the reload after daily.sh")
        // A setting that only the reload after daily.sh can bring into force so soon. Readings are at least 10 s apart.
        try scene.node.configure(everyFewSeconds.with(["service_loglevel": "DEBUG", "service_poller_workers": 5]))
        let applied = eventually(within: .seconds(22)) {
          guard let status = try? scene.node.status(), case .array(let types) = status["types"] else { return false }
          return types.first { $0["type"]?.text == "poller" }?["slots"]?.number == 5
        }
        #expect(applied, "five workers after daily.sh")
        pause(.seconds(13))
        let runs = scene.node.journal.runs("maintenance").filter { $0.start >= began }
        let elapsed = wallClock() - began
        #expect(Double(runs.count) >= (elapsed / 6).rounded(.down) - 1 && Double(runs.count) <= (elapsed / 6).rounded(.down) + 1)
        let gaps = zip(runs, runs.dropFirst()).map { $1.start - $0.start }
        #expect(gaps.allSatisfy { abs($0 - 6) < 3 }, "daily.sh at \(gaps)")
        // No gap in polling: the children are configured live.
        #expect(!scene.node.errors.contains("the next start is"))
      }
    }

    @Test func aFailingDailyIsReportedWithItsLastLines() throws {
      try Scene.play(everyFewSeconds, sleep: "0.1") { scene in
        try scene.node.behave("maintenance", "exit=1 output_bytes=600")
        try scene.startAndAwaitWork("maintenance", within: .seconds(40))
        #expect(eventually(within: .seconds(10)) { scene.node.errors.contains("maintenance daily.sh: exit code 1") })
        let line = scene.node.errors.split(separator: "\n").first { $0.contains("maintenance daily.sh: exit code 1") } ?? ""
        #expect(line.contains("Up to date.") && line.utf8.count > 300, "its last lines: \(line)")
      }
    }

    @Test func aStopWaitsForARunningDaily() throws {
      try Scene.play(everyFewSeconds, sleep: "0.1") { scene in
        try scene.node.behave("maintenance", "sleep=5")
        let began = try scene.startAndAwaitWork("maintenance", within: .seconds(40))
        let stopped = wallClock()
        scene.stopOrderly()
        #expect(wallClock() - stopped > 2, "the stop did not wait")
        let runs = scene.node.journal.runs("maintenance").filter { $0.start >= began }
        #expect(runs.count == 1 && runs.allSatisfy { $0.end != nil }, "\(runs)")
      }
    }

    @Test func theScheduleRunsEachMinuteWhereItIsAskedFor() throws {
      try Scene.play(pollingOnly, environment: ["DISPATCHER_SCHEDULE_RUN": "yes"], sleep: "0.1") { scene in
        try scene.node.start()
        #expect(eventually(within: .seconds(75)) { !scene.node.journal.runs("schedule").isEmpty }, "\(scene.node.errors)")
        #expect(scene.node.journal.runs("maintenance").isEmpty, "daily.sh is off")
      }
    }
  }
}
