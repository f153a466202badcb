import Fixture
import Testing

extension IntegrationTests {
  /// A database that does not move: what this node began itself is not begun again before its period.
  @Suite struct OwnClockTests {
    @Test func devicesThatStayDueAreDoneOncePerPeriodAndFailingOnesByTheirOwnRule() throws {
      let configuration = pollingOnly.with([
        "service_poller_frequency": 5, "service_discovery_enabled": true, "service_discovery_workers": 4,
        "service_discovery_frequency": 21600,
        "service_poller_down_retry": 2,
      ])
      try Scene.play(configuration, sleep: "0.2") { scene in
        try scene.node.behave("poller", "sleep=0.2 no_write=1")
        try scene.node.behave("discovery", "sleep=0.2 no_write=1")
        // A device that is down keeps its time as well, and is tried again after the setting for that.
        try scene.node.behave("poller.6", "down=1 sleep=0.1")
        // Of another zone than the database, as a script whose clock is wrong; and a time that the database itself puts back.
        try scene.node.behave("poller.4", "sleep=0.2 offset=7200")
        try scene.node.behave("poller.5", "sleep=0.2")
        try scene.server.addDevices(6)
        try scene.server.query("UPDATE devices SET last_discovered = NULL WHERE device_id = 1")
        try scene.server.administer(
          "CREATE TRIGGER librenms.still BEFORE UPDATE ON librenms.devices FOR EACH ROW "
            + "SET NEW.last_polled = IF(NEW.device_id = 5, OLD.last_polled, NEW.last_polled)")
        let began = try scene.startAndAwaitWork()
        pause(.seconds(13))
        // "Rediscover" of the web UI, right after a discovery of a device that had been discovered before.
        try scene.node.behave("discovery", nil)
        #expect(try scene.node.command("discover", "2").ending == .exited(0))
        #expect(eventually(within: .seconds(5)) { scene.node.journal.runs("discovery", "2").first?.end != nil })
        try scene.server.query("UPDATE devices SET last_discovered = NULL WHERE device_id = 2")
        #expect(eventually(within: .seconds(25)) { scene.node.journal.runs("discovery", "2").count == 2 }, "a wish of the web UI")
        let length = wallClock() - began
        for id in 2...5 {
          let runs = scene.node.journal.runs("poller", "\(id)")
          let intervals = zip(runs, runs.dropFirst()).map { $1.start - $0.start }
          #expect(intervals.allSatisfy { $0 > 4.8 }, "device \(id): \(intervals)")
          #expect(Double(runs.count) >= (length / 5).rounded(.down) - 2, "device \(id) is polled each period: \(runs.count) in \(length) s")
        }
        #expect(scene.node.journal.runs("discovery", "1").count == 1, "no time came: \(scene.node.journal.runs("discovery", "1"))")
        let down = scene.node.journal.runs("poller", "6")
        #expect(Double(down.count) >= length / 5, "a device that is down is tried each 2 s: \(down.count) in \(length) s")
      }
    }
  }
}
