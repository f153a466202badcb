import Fixture
import Glibc
import Testing

extension IntegrationTests {
  @Suite struct ChildDeathTests {
    private let discoveryPeriod = fullLength ? 30.0 : 15
    private var everything: [String: JSON] {
      pollingOnly.with([
        "service_discovery_enabled": true, "service_discovery_frequency": .number(discoveryPeriod), "service_discovery_workers": 8,
        "service_ping_enabled": true,
        "service_ping_frequency": 10,
      ])
    }
    private let devices = 100
    private let down: Set<String> = ["7", "27", "57", "87"]

    private func play(_ body: (Scene) throws -> Void) throws {
      try Scene.play(everything, environment: ["DISPATCHER_HEALTHY_SECONDS": "1"]) { scene in
        try scene.server.addDevices(devices, lastPolled: spreadOverPeriod)
        for id in down { try scene.node.behave("poller." + id, "down=1 sleep=1.5") }
        try scene.server.query(
          "UPDATE devices SET last_polled = NOW() - INTERVAL 1 HOUR WHERE device_id IN (\(down.joined(separator: ",")))")
        try scene.node.behave("discovery", "sleep=0.1")
        try scene.startAndAwaitWork()
        try body(scene)
      }
    }

    /// No script died, none ran twice, a down device waited, and the other types kept their times. `period`: the longest allowed interval.
    private func expectUnharmed(_ scene: Scene, since began: Double, longest: Double) {
      let journal = scene.node.journal
      #expect(journal.killed("poller").isEmpty, "scripts died: \(journal.killed("poller").prefix(3))")
      expectNoDoubles(journal, except: down)
      let up = journal.pairs("poller").filter { !down.contains($0.earlier.id) }.map { $0.later.start - $0.earlier.start }
      #expect((up.max() ?? 0) <= longest, "a device was skipped: \(up.max() ?? 0) s between polls")
      #expect(Set(journal.ids("poller")).count == devices)
      for (earlier, later) in journal.pairs("poller") where down.contains(earlier.id) {
        let wait = later.start - (earlier.end ?? 0)
        #expect(wait > 7.5, "device \(earlier.id) is down and was polled again \(wait) s after its end, not down_retry")
      }
      for tick in stride(from: (began / 10).rounded(.up) * 10, to: wallClock() - 3, by: 10) {
        let first = journal.runs("ping").first { $0.start >= tick }?.start ?? .infinity
        #expect(first - tick < 3, "ping was \(first - tick) s late")
      }
    }

    @Test func aKilledPollerChildLosesNothing() throws {
      try play { scene in
        let began = wallClock()
        let supervisor = try #require(scene.node.dispatcher).pid
        var child = try scene.node.awaitChild("librenms-pollerd")
        pause(.seconds(3))
        let descriptors = ProcessInfo.descriptorCount(supervisor)
        var gaps: [Double] = []
        for round in 1...(fullLength ? 10 : 4) {
          // A random moment, after more than the healthy second.
          pause(.milliseconds(Int.random(in: 2500...4500)))
          let killed = wallClock()
          kill(child.pid, SIGKILL)
          child = try scene.node.awaitChild("librenms-pollerd", within: .seconds(5), not: child.pid)
          let next = scene.firstStart(after: killed, within: .seconds(5))
          let gap = (next ?? .infinity) - killed
          gaps.append(gap)
          progress("kill \(round): first script of the successor after \(gap) s")
        }
        // What is due is asked for once a second, and the start of a script takes its time too; one of them may meet a moment of the machine
        // in which nothing goes on.
        #expect(gaps.sorted()[gaps.count / 2] < 1.25 && gaps.allSatisfy { $0 < 4 }, "the successor works within a second: \(gaps)")
        pause(.seconds(21))
        #expect(ProcessInfo.descriptorCount(supervisor) <= descriptors, "the supervisor keeps no descriptor of a dead child")
        #expect(scene.node.dispatcher?.poll() == nil)
        scene.stopOrderly()
        expectUnharmed(scene, since: began, longest: 25)
        // Overdue devices are asked for every 10 s.
        let discoveries = scene.node.journal.intervals("discovery")
        #expect(scene.node.journal.ids("discovery").count == devices)
        #expect(
          (discoveries.max() ?? .infinity) < discoveryPeriod + 12, "discovery was late: \(discoveries.max() ?? 0) s from start to start")
      }
    }

    @Test func aStoppedPollerChildIsReplacedWithinTheSilenceLimit() throws {
      try play { scene in
        let began = wallClock()
        let child = try scene.node.awaitChild("librenms-pollerd")
        pause(.seconds(5))
        let stopped = wallClock()
        kill(child.pid, SIGSTOP)
        // Half the shortest lock ttl: 20 s of the poller's locks and of the master's.
        _ = try scene.node.awaitChild("librenms-pollerd", within: .seconds(15), not: child.pid)
        let noticed = wallClock() - stopped
        let next = scene.firstStart(after: stopped + noticed - 0.2, within: .seconds(3))
        progress("replaced after \(noticed) s, next script after \((next ?? .infinity) - stopped) s")
        #expect(noticed < 13)
        #expect((next ?? .infinity) - stopped - noticed < 3)
        pause(.seconds(24))
        scene.stopOrderly()
        expectUnharmed(scene, since: began, longest: 20 + noticed + 5)
      }
    }

    @Test func everyChildIsReplacedAndTheOthersStay() throws {
      try play { scene in
        let names = ["librenms-pollerd", "librenms-discoveryd", "librenms-pingd"]
        pause(.seconds(3))
        for victim in names {
          let before = try names.map { try scene.node.awaitChild($0).pid }
          let died = try scene.node.awaitChild(victim).pid
          kill(died, SIGKILL)
          _ = try scene.node.awaitChild(victim, within: .seconds(8), not: died)
          let after = try names.map { try scene.node.awaitChild($0).pid }
          for (index, name) in names.enumerated() where name != victim { #expect(before[index] == after[index], "\(name) lives on") }
          pause(.seconds(2))
        }
      }
    }
  }
}
