import Fixture
import Testing

extension IntegrationTests {
  @Suite struct ScheduleTests {
    @Test func everyDeviceIsPolledEachPeriodAndNeverTwice() throws {
      try Scene.play(pollingOnly) { scene in
        try scene.server.addDevices(200)
        try scene.startAndAwaitWork()
        let length = fullLength ? 180 : 100
        progress("200 devices, every 20 s, scripts of 1 s, 24 workers: \(length) s")
        pause(.seconds(length))
        let end = wallClock()
        scene.stopOrderly()

        let journal = scene.node.journal
        expectNoDoubles(journal)
        #expect(journal.killed("poller").isEmpty)
        #expect(journal.ids("poller").count == 200)
        #expect(journal.peak("poller") <= 24)
        let intervals = journal.intervals("poller").sorted()
        let exact = intervals.filter { abs($0 - 20) <= 1 }.count
        let share = Double(exact) / Double(max(1, intervals.count))
        let (least, most) = (intervals.first ?? 0, intervals.last ?? 0)
        progress("\(intervals.count) intervals from \(least) to \(most) s, \(share * 100) % within ±1 s")
        #expect(intervals.count >= 200 * (length / 20 - 2))
        #expect(share >= 0.99)
        // A device that is skipped once shows no interval at the end of the journal, but a start that is too long ago.
        for (id, runs) in Dictionary(grouping: journal.runs("poller"), by: \.id) {
          #expect(end - (runs.last?.start ?? 0) < 22, "device \(id) was not polled in the last period")
        }
      }
    }

    @Test(arguments: [25, 26]) func everyTypeRunsItsScriptsInBothGenerations(_ generation: Int) throws {
      let configuration = pollingOnly.with([
        "service_discovery_enabled": true, "service_discovery_frequency": 3600, "service_ping_enabled": true, "service_ping_frequency": 5,
        "distributed_poller_group": "0,1",
      ])
      try Scene.play(configuration, sleep: "0.2", generation: generation, overTCP: true) { scene in
        try scene.server.addDevices(10, groups: 3)
        try scene.server.query("UPDATE devices SET last_polled = NULL, last_discovered = NULL WHERE device_id IN (1, 2)")
        try scene.startAndAwaitWork()
        pause(.seconds(14))
        scene.stopOrderly()
        let journal = scene.node.journal
        // Devices 3, 6 and 9 are in group 2, which is not this node's.
        #expect(journal.ids("poller") == ["1", "2", "4", "5", "7", "8", "10"])
        #expect(journal.ids("ping") == ["0", "1"])
        #expect(journal.runs("discovery", "1").count == 1 && journal.runs("discovery", "2").count == 1)
        for id in ["1", "2"] {
          let discovered = journal.runs("discovery", id).first?.start ?? .infinity
          #expect(journal.runs("poller", id).allSatisfy { $0.start > discovered }, "a new device is discovered before it is polled")
        }
        #expect(journal.runs.allSatisfy { $0.exitCode == 0 })
        for gap in journal.intervals("ping") { #expect(abs(gap - 5) < 2) }
      }
    }

    @Test func aDisabledDeviceIsLeftAloneAndADownOneWaits() throws {
      try Scene.play(pollingOnly) { scene in
        try scene.server.addDevices(3)
        try scene.server.query("UPDATE devices SET disabled = 1 WHERE device_id = 1")
        try scene.node.behave("2", "down=1")
        try scene.startAndAwaitWork()
        pause(.seconds(22))
        scene.stopOrderly()
        let journal = scene.node.journal
        #expect(journal.runs("poller", "1").isEmpty)
        let waits = journal.pairs("poller").filter { $0.earlier.id == "2" }.map { $0.later.start - ($0.earlier.end ?? 0) }
        #expect(waits.count >= 1)
        for wait in waits { #expect(wait > 7.9 && wait < 13, "down_retry is 8 s, waited \(wait)") }
      }
    }
  }
}
