import Fixture
import Testing

extension IntegrationTests {
  @Suite struct DiagnosisTests {
    /// The text of each warning by which it is known.
    private enum Warning: String, CaseIterable {
      case stayedDue = "were polled with success and stayed due in the database"
      case future = "ahead of the database's NOW()"
      case slow = "ping: 95 of 100 scripts take up to"
      case group = "no living node polls poller groups 9 (1 device), 12 (1 device)"
      case cron = "cron starts what this dispatcher starts, too"
      case step = "service_poller_frequency is 60 s (config dump) but rrd.step is 300 s"
    }

    private func warnings(_ scene: Scene) -> [Substring] { scene.node.errors.split(separator: "\n").filter { $0.contains(" WARNING: ") } }

    private func count(_ scene: Scene, _ text: String) -> Int {
      scene.node.errors.split(separator: "\n").count { $0.contains(text) && !$0.contains(" DEBUG: ") }
    }

    /// Of the warnings that the diagnosis itself says, as `status --json` has them.
    private func shown(_ scene: Scene) throws -> [String] {
      guard case .array(let lines)? = try scene.node.status()["warnings"] else { return [] }
      return lines.compactMap(\.text)
    }

    @Test func eachFaultIsOneWarningAndItsEndOneLine() throws {
      let configuration = pollingOnly.with([
        "service_poller_frequency": 60, "rrd": ["step": 300], "service_ping_enabled": true, "service_ping_frequency": 2,
      ])
      try Scene.play(configuration) { scene in
        let node = scene.node
        node.arguments = ["-v", "-t", "-g", "0", "1", "2", "3"]
        node.environment["DISPATCHER_CRON_FILE"] = node.base + "/cron"
        try writeText("*/5 * * * * librenms \(node.base)/poller-wrapper.py 16\n", to: node.base + "/cron")
        // 1 to 4 say that they were polled and write nothing, or a time of another zone; 5 is in nobody's group; 6 is polled into the future.
        try scene.server.addDevices(40, groups: 4)
        for id in 1...2 { try node.behave("poller.\(id)", "offset=7200 sleep=2") }
        for id in 3...4 { try node.behave("poller.\(id)", "no_write=1 sleep=2") }
        try node.behave("poller.6", "offset=-7200")
        try scene.server.query("UPDATE devices SET poller_group = 9 WHERE device_id = 5")
        try scene.server.query("UPDATE devices SET poller_group = 8 WHERE device_id = 7")
        try scene.server.query("UPDATE devices SET poller_group = 12 WHERE device_id = 8")
        // Group 8 has a living node; of the two that name group 9 one is dead, and one does not poll; "1 2" is no list, and not group 12.
        try scene.server.query(
          """
          INSERT INTO poller_cluster (node_id, poller_name, poller_groups, last_report, master, poller_enabled) VALUES
            ('n8', 'n8', '7, 8', NOW() + INTERVAL 1 HOUR, 0, NULL), ('dead', 'dead', '9', NOW() - INTERVAL 1 HOUR, 0, 1),
            ('lazy', 'lazy', '9', NOW() + INTERVAL 1 HOUR, 0, 0),
            ('odd', 'odd', '1 2', NOW() + INTERVAL 1 HOUR, 0, 1)
          """)
        try node.behave("ping", "sleep=4")
        try scene.startAndAwaitWork()
        let all = eventually(within: .seconds(180), every: .seconds(1)) {
          Warning.allCases.allSatisfy { count(scene, $0.rawValue) > 0 }
        }
        #expect(all, "missing: \(Warning.allCases.filter { count(scene, $0.rawValue) == 0 })\n\(scene.node.errors)")

        let lasting: [Warning] = [.stayedDue, .future, .slow, .group]
        let isShown = try eventually(within: .seconds(10), every: .milliseconds(500)) {
          let shown = try shown(scene)
          return lasting.allSatisfy { warning in shown.count { $0.contains(warning.rawValue) } == 1 }
        }
        #expect(isShown, "\((try? shown(scene)) ?? [])")
        #expect(try node.command("status").output.contains("\nwarning: "))
        let example = warnings(scene).first { $0.contains(Warning.stayedDue.rawValue) } ?? ""
        #expect(example.contains("device 1 among them (its last_polled is 72"), "two hours behind: \(example)")

        // Their devices get a node again; nobody waits ten minutes for the next look to take the warning away.
        try scene.server.query("UPDATE devices SET poller_group = 0 WHERE device_id IN (5, 8)")
        let isMended = try eventually(within: .seconds(45), every: .seconds(1)) {
          try !shown(scene).contains { $0.contains("no living node polls") }
        }
        #expect(isMended && count(scene, "every poller group with devices has a node again") == 1, "\((try? shown(scene)) ?? [])")

        for id in 1...4 { try node.behave("poller.\(id)", "sleep=1") }
        let over = "poller: devices are no longer due at once after a success"
        // They run again at the end of their period of a minute.
        #expect(eventually(within: .seconds(150), every: .seconds(1)) { count(scene, over) > 0 })
        #expect(count(scene, over) == 1)
        for warning in Warning.allCases { #expect(count(scene, warning.rawValue) == 1, "\(warning)\n\(scene.node.errors)") }
        #expect(try !shown(scene).contains { $0.contains(Warning.stayedDue.rawValue) })
        scene.stopOrderly()
      }
    }

    @Test func aHealthyNodeWarnsOfNothing() throws {
      let configuration = pollingOnly.with([
        "rrd": ["step": 20], "ping_rrd_step": 10, "service_ping_enabled": true, "service_ping_frequency": 10,
        "service_discovery_enabled": true,
      ])
      try Scene.play(configuration) { scene in
        scene.node.environment["DISPATCHER_CRON_FILE"] = scene.node.base + "/cron"
        try writeText("* * * * * librenms \(scene.node.base)/lnms schedule:run\n", to: scene.node.base + "/cron")
        // Scripts and database agree; that this host has another time zone harms nobody.
        try scene.server.query("SET GLOBAL time_zone = '+05:45'")
        try scene.server.addDevices(60, lastPolled: spreadOverPeriod)
        try scene.node.behave("3", "down=1")
        try scene.startAndAwaitWork()
        pause(.seconds(105))
        let shown = try shown(scene)
        scene.stopOrderly()
        #expect(shown.isEmpty && warnings(scene).isEmpty, "\(shown)\n\(scene.node.errors)")
        #expect(scene.node.journal.runs("poller").count > 200)
      }
    }
  }
}
