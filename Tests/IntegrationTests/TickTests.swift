import Core
import Fixture
import Glibc
import Testing

extension IntegrationTests {
  /// Alerting and billing keep the moments of their clocks, whatever their scripts do.
  @Suite struct TickTests {
    /// Group 2 alone: alerts and bills belong to no group, and a node runs them whatever it polls.
    private let alerting = pollingOnly.with([
      "service_poller_enabled": false, "service_alerting_enabled": true, "service_alerting_frequency": 2, "distributed_poller_group": "2",
    ])

    private func figure(_ scene: Scene, _ type: String, _ name: String) throws -> Double {
      guard case .array(let types) = try scene.node.status()["types"] else { throw FixtureError("no types in status") }
      return types.first { $0["type"]?.text == type }?[name]?.number ?? -1
    }

    @Test func aRunLongerThanItsTickIsFollowedAtOnceAndNeverOverlapped() throws {
      try Scene.play(alerting) { scene in
        try scene.node.behave("alerting", "sleep=3.1")
        try scene.startAndAwaitWork("alerting")
        pause(.seconds(24))
        let (late, missed) = (try figure(scene, "alerting", "late_ticks"), try figure(scene, "alerting", "missed_ticks"))
        scene.stopOrderly()
        let journal = scene.node.journal
        #expect(journal.overlaps("alerting").isEmpty)
        let gaps = journal.pairs("alerting").map { $1.start - ($0.end ?? .infinity) }
        progress("\(gaps.count + 1) runs, the next begins up to \(gaps.max() ?? 0) s after the last; \(late) ticks late, \(missed) missed")
        #expect(gaps.count >= 6 && gaps.allSatisfy { $0 < 2 } && gaps.sorted()[gaps.count / 2] < 0.7, "\(gaps)")
        // Three ticks in two runs: most come during a run, some while the one before waits.
        #expect(late >= 5 && missed >= 2)
        #expect(scene.node.errors.split(separator: "\n").count { $0.contains("before the last run was over") } == 1, "one line for all")
      }
    }

    @Test func aTickThatWaitsOutlivesItsChild() throws {
      try Scene.play(alerting.with(["service_alerting_frequency": 10])) { scene in
        try scene.node.behave("alerting", "sleep=12")
        try scene.startAndAwaitWork("alerting", within: .seconds(20))
        let first = try #require(scene.node.journal.runs("alerting").first)
        // The next tick has come, and its member is in the memory of the child alone.
        pause(.seconds(first.start + 11 - wallClock()))
        let child = try scene.node.awaitChild("librenms-alertingd")
        kill(child.pid, SIGKILL)
        let next = scene.firstStart("alerting", after: first.start + 1, within: .seconds(6)) ?? .infinity
        progress("the tick that waited runs \(next - first.start - 12) s after the run before it")
        #expect(next - first.start < 17, "it did not wait for the next tick")
        scene.stopOrderly()
        #expect(scene.node.journal.overlaps("alerting").isEmpty && scene.node.journal.killed("alerting").isEmpty)
      }
    }

    @Test func aMissedTickIsRunOnceAndCounted() throws {
      try Scene.play(alerting.with(["service_loglevel": "DEBUG"])) { scene in
        try scene.node.behave("alerting", "sleep=0.1")
        try scene.startAndAwaitWork("alerting")
        scene.server.freeze()
        pause(.seconds(21))
        scene.server.thaw()
        let back = wallClock()
        #expect((scene.firstStart("alerting", after: back, within: .seconds(8)) ?? .infinity) - back < 5)
        pause(.seconds(3))
        let missed = try figure(scene, "alerting", "missed_ticks")
        let said = scene.node.errors.split(separator: "\n").filter { $0.contains("ticks missed") }
        scene.stopOrderly()
        let queued = QueuedTicks("alerting", period: 2, in: scene.node.errors)
        progress("\(queued.skipped) ticks without a run, \(missed) counted")
        #expect(queued.skipped >= 3 && missed == Double(queued.skipped), "\(queued.boundaries)")
        // Of the last one nothing may be left but the stop.
        let faults = queued.faults(scene.node.journal.runs("alerting"), until: back + 1, maySkip: queued.skipped, patience: 30)
        #expect(faults.isEmpty, "\(faults)")
        #expect(said.count == 1, "\(said)")
      }
    }

    @Test func aNewConfigurationNeverRepeatsATick() throws {
      let configuration = alerting.with(["service_loglevel": "DEBUG"])
      try Scene.play(configuration) { scene in
        try scene.node.behave("alerting", "sleep=0.05")
        try scene.startAndAwaitWork("alerting")
        let from = wallClock()
        // One reload after the other, so some of them come within the last moment before a tick.
        var round = 0.0
        while wallClock() - from < 12 {
          round += 1
          try scene.node.configure(configuration.with(["service_poller_down_retry": .number(10 + round)]))
          #expect(try scene.node.command("reload").ending == .exited(0))
        }
        let until = wallClock()
        scene.stopOrderly()
        let queued = QueuedTicks("alerting", period: 2, in: scene.node.errors)
        let faults = queued.faults(scene.node.journal.runs("alerting"), until: until - 1)
        #expect(faults.isEmpty, "\(faults)")
        #expect(queued.boundaries.count >= 5, "\(queued.boundaries)")
      }
    }

    @Test func billingsTwoScriptsShareASlotAndWaitForOneRunAtMost() throws {
      let configuration = pollingOnly.with([
        "service_poller_enabled": false, "service_billing_enabled": true, "service_billing_frequency": 4,
        "service_billing_calculate_frequency": 2, "distributed_poller_group": "2", "service_loglevel": "DEBUG",
      ])
      try Scene.play(configuration) { scene in
        try scene.node.behave("billing.poll", "sleep=1.5")
        try scene.node.behave("billing.calculate", "sleep=0.3")
        try scene.startAndAwaitWork("billing")
        pause(.seconds(18))
        let until = wallClock()
        // The line of a failure has what the script said.
        try scene.node.behave("billing.poll", "exit=3")
        pause(.seconds(6))
        scene.stopOrderly()
        let journal = scene.node.journal
        let all = journal.runs("billing")
        for (earlier, later) in zip(all, all.dropFirst()) {
          #expect(later.start >= earlier.end ?? .infinity, "two billing scripts at once: \(earlier), \(later)")
        }
        for (id, period) in [("poll", 4), ("calculate", 2)] {
          let queued = QueuedTicks("billing \(id)", period: period, in: scene.node.errors)
          let faults = queued.faults(journal.runs("billing", id), until: until)
          #expect(faults.isEmpty, "\(faults)")
          for boundary in queued.boundaries where Double(boundary) <= until {
            guard let run = journal.runs("billing", id).first(where: { $0.start >= Double(boundary) }) else { continue }
            let between = all.filter { $0.start > Double(boundary) && $0.start < run.start }
            #expect(between.count <= 1, "\(id) of \(boundary) waited for more than one run: \(between)")
          }
        }
        let failures = scene.node.errors.split(separator: "\n").filter { $0.contains("billing poll: exit code 3") }
        #expect(!failures.isEmpty && failures.allSatisfy { $0.contains("Bills polled.") && $0.contains("WARNING") }, "\(failures)")
      }
    }

    @Test func servicesAreCheckedOnTheDevicesThatHaveThem() throws {
      let configuration = pollingOnly.with([
        "service_poller_enabled": false, "service_services_enabled": true, "service_services_frequency": 5,
        "service_alerting_enabled": true,
        "service_alerting_frequency": 5, "distributed_poller_group": "0",
      ])
      try Scene.play(configuration, sleep: "0.2") { scene in
        try scene.server.addDevices(12, groups: 2)
        // Odd ids are in group 0. 1 has two services; 5 is disabled, 2 in another group, 11 has none.
        try scene.server.query(
          """
          INSERT INTO services (device_id, service_type) VALUES (1, 'http'), (1, 'ssh'), (2, 'http'), (3, 'http'), (5, 'http'), (7, 'http');
          UPDATE devices SET disabled = 1 WHERE device_id = 5
          """)
        try scene.node.behave("services.3", "exit=1")
        try scene.node.behave("services.7", "down=1")
        scene.node.arguments += ["-o", "file"]
        try scene.startAndAwaitWork("services")
        pause(.seconds(24))
        scene.stopOrderly()
        let journal = scene.node.journal
        #expect(journal.ids("services") == ["1", "3", "7"])
        for pair in journal.pairs("services") {
          let gap = pair.later.start - pair.earlier.start
          switch pair.earlier.id {
          case "1": #expect(abs(gap - 5) < 2, "each tick")
          case "3": #expect(gap > 4.9, "an error leaves the lock until start + frequency")
          default: #expect(pair.later.start - (pair.earlier.end ?? 0) > 7.9, "down: down_retry from the end")
          }
        }
        #expect(journal.runs("services", "7").allSatisfy { $0.exitCode == 5 } && journal.pairs("services").count >= 6)
        let warnings = scene.node.errors.split(separator: "\n").filter { $0.contains("services 3: exit code 1") }
        #expect(!warnings.isEmpty && warnings.allSatisfy { $0.contains("WARNING") })
        let logs = scene.node.base + "/logs/"
        #expect(readText(logs + "dispatch_device_1_services.log")?.contains("Checked the services of device 1.") == true)
        #expect(readText(logs + "dispatch_alerts.log")?.contains("Alerts done.") == true)
      }
    }
  }
}
