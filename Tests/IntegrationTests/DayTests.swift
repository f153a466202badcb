import Core
import Fixture
import Testing

@testable import JobKit
@testable import MaintenanceProc

extension IntegrationTests {
  /// A day in fast motion: all seven types at periods of seconds. Each script runs at each of its moments, once, with the command line of the
  /// contract, and nothing else does.
  @Suite struct DayTests {
    /// Scripts of one kind that run at each tick of a clock.
    private struct Clock {
      var type: String
      var id: String
      var period: Int
      var offset = 0
      var commandLine: String
    }

    private static let periods: (poller: Int, discovery: Int, services: Int, ping: Int, alerting: Int, billing: Int, calculate: Int) =
      (10, 20, 6, 5, 3, 7, 4)
    private static let update = 15
    private static let devices = (1...8).map(String.init)
    private static let withServices = ["1", "2", "4"]

    private static let configuration: [String: JSON] = [
      "service_poller_frequency": .number(Double(periods.poller)), "service_poller_workers": 8, "service_poller_down_retry": 8,
      "service_discovery_frequency": .number(Double(periods.discovery)), "service_discovery_workers": 8,
      "service_services_frequency": .number(Double(periods.services)), "service_services_workers": 4,
      "service_ping_enabled": true, "service_ping_frequency": .number(Double(periods.ping)),
      "service_alerting_frequency": .number(Double(periods.alerting)), "service_billing_frequency": .number(Double(periods.billing)),
      "service_billing_calculate_frequency": .number(Double(periods.calculate)), "service_update_frequency": .number(Double(update)),
      "distributed_poller_group": "0,1",
    ]

    private func pollCommand(_ id: String) -> String { "lnms device:poll \(id) -q" }

    private func clocks(_ generation: Int, _ node: SampleNode) -> [Clock] {
      let periods = Self.periods
      var clocks = [
        Clock(type: "alerting", id: "alerts", period: periods.alerting, commandLine: "php alerts.php -f"),
        Clock(type: "billing", id: "poll", period: periods.billing, commandLine: "php poll-billing.php -f"),
        Clock(type: "billing", id: "calculate", period: periods.calculate, commandLine: "php billing-calculate.php -f"),
      ]
      for id in Self.withServices {
        clocks.append(Clock(type: "services", id: id, period: periods.services, commandLine: "php check-services.php -h \(id)"))
      }
      for group in ["0", "1"] {
        let line = generation == 26 ? "lnms device:ping fast -q -g \(group)" : "php ping.php -f -g \(group)"
        clocks.append(Clock(type: "ping", id: group, period: periods.ping, commandLine: line))
      }
      for id in Self.devices {
        let line = generation == 26 ? "lnms device:discover \(id) -q" : "php discovery.php -h \(id)"
        clocks.append(Clock(type: "discovery", id: id, period: periods.discovery, commandLine: line))
      }
      // Each node updates itself at its own moment.
      let uuid = NodeIdentity.uuid(Settings(base: node.base, nodeID: "node-1", pollerName: ""))
      let offset = MaintenanceType.offset(node: uuid, within: .seconds(Self.update))
      clocks.append(
        Clock(
          type: "maintenance", id: "daily", period: Self.update, offset: Int(offset.components.seconds), commandLine: "daily.sh"))
      return clocks
    }

    private func prepare(_ scene: Scene) throws {
      try scene.server.addDevices(9, groups: 2)
      // 9 is disabled; it has a service, which is no reason to look at it.
      try scene.server.query(
        """
        INSERT INTO services (device_id, service_type) VALUES (1, 'http'), (1, 'ssh'), (2, 'http'), (4, 'http'), (9, 'http');
        UPDATE devices SET disabled = 1 WHERE device_id = 9
        """)
    }

    @Test func everyTypeRunsExactlyAsOftenAsItsClockSays() throws {
      let length = fullLength ? 600 : 44
      progress("all seven types, both generations of LibreNMS side by side: \(length) s")
      try Scene.play(Self.configuration, sleep: "0.2", generation: 26) { newer in
        try Scene.play(Self.configuration, sleep: "0.2", generation: 25) { older in
          for scene in [newer, older] { try prepare(scene) }
          // The first tick of discovery is to come before a device is overdue, which would be discovered at once then, and not within half a
          // period of the time that is set here, or it would be skipped.
          let period = Double(Self.periods.discovery)
          let phase = wallClock().truncatingRemainder(dividingBy: period)
          if phase < 3 || phase > 7 { pause(.seconds((24 - phase).truncatingRemainder(dividingBy: period))) }
          for scene in [newer, older] {
            try scene.server.query("UPDATE devices SET last_discovered = NOW()")
            try scene.node.start()
          }
          for scene in [newer, older] {
            guard scene.firstStart(after: 0, within: .seconds(20)) != nil else { throw FixtureError("no poll") }
            for type in TaskType.allCases { _ = try scene.node.awaitChild(type.executable) }
          }
          pause(.seconds(2))
          let from = wallClock()
          pause(.seconds(length))
          let until = wallClock()
          for scene in [newer, older] { scene.node.dispatcher?.send(15) }
          for (scene, generation) in [(newer, 26), (older, 25)] {
            #expect(scene.node.dispatcher?.wait(.seconds(30)) == .exited(0))
            judge(scene, generation, from: from, until: until)
          }
        }
      }
    }

    private func judge(_ scene: Scene, _ generation: Int, from: Double, until: Double) {
      let journal = scene.node.journal
      let clocks = clocks(generation, scene.node)
      var counts: [String: Int] = [:]
      var latest = (late: 0.0, what: "")
      for clock in clocks {
        let name = "\(generation): \(clock.type) \(clock.id)"
        let runs = journal.runs(clock.type, clock.id)
        func tick(_ time: Double) -> Int { Int(((time - Double(clock.offset)) / Double(clock.period)).rounded(.down)) }
        let perTick = Dictionary(grouping: runs, by: { tick($0.start) })
        // A tick that is nearer to the end than this may have been cut off by the stop.
        for index in tick(from) + 1...max(tick(from) + 1, tick(until - 2)) where index <= tick(until - 2) {
          let own = perTick[index] ?? []
          #expect(own.count == 1, "\(name), tick \(index * clock.period + clock.offset): \(own)")
          let moment = index * clock.period + clock.offset
          if let late = own.first.map({ $0.start - Double(moment) }), late > latest.late { latest = (late, "\(name), tick \(moment)") }
          counts[clock.type, default: 0] += own.count
        }
        #expect(Set(runs.map(\.commandLine)) == [clock.commandLine], "\(name)")
      }
      #expect(latest.late < 2.5, "a script began \(latest.late) s after its tick: \(latest.what)")

      for id in Self.devices {
        let runs = journal.runs("poller", id)
        let period = Double(Self.periods.poller)
        for (earlier, later) in zip(runs, runs.dropFirst()) {
          #expect(abs(later.start - earlier.start - period) < 2, "\(generation): \(earlier), \(later)")
        }
        #expect(until - (runs.last?.start ?? 0) < period + 2, "\(generation): device \(id) was not polled in the last period")
        #expect(Set(runs.map(\.commandLine)) == [pollCommand(id)])
        counts["poller", default: 0] += runs.count { $0.start > from }
      }
      expectNothingElse(journal, clocks, generation)
      let figures = counts.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(separator: ", ")
      progress("\(generation): \(figures); at the latest \(latest.late) s after the tick")
    }

    /// Nothing twice at once, billing's two scripts neither; nothing failed; nobody ran what has no clock.
    private func expectNothingElse(_ journal: Journal, _ clocks: [Clock], _ generation: Int) {
      for type in Set(journal.runs.map(\.type)) { #expect(journal.overlaps(type).isEmpty, "\(generation): \(type) twice at once") }
      let bills = journal.runs("billing")
      for (earlier, later) in zip(bills, bills.dropFirst()) { #expect(later.start >= earlier.end ?? .infinity, "\(earlier), \(later)") }
      #expect(journal.runs.allSatisfy { $0.exitCode == 0 }, "\(generation): \(journal.runs.filter { $0.exitCode != 0 })")
      let known = Set(clocks.map { "\($0.type) \($0.id)" } + Self.devices.map { "poller \($0)" } + ["dump -"])
      #expect(Set(journal.runs.map { "\($0.type) \($0.id)" }).isSubset(of: known))
      #expect(Set(journal.runs("dump").map(\.commandLine)) == ["php lnms config:get --dump"])
    }
  }
}
