import Fixture
import Glibc

/// Ten thousand devices of which none is due, for a minute: what it costs to have nothing to do.
enum IdleBench {
  private static let configuration: [String: JSON] = [
    "service_ping_enabled": true, "service_ping_frequency": 86400, "service_update_enabled": false, "service_alerting_frequency": 86400,
    "service_billing_frequency": 86400, "service_billing_calculate_frequency": 86400, "service_services_frequency": 86400,
  ]

  static func run(into table: inout ResultTable) throws {
    var rows: [(String, String, String)] = []
    try Scene.play(configuration) { scene in
      try scene.server.addDevices(10_000, lastPolled: "NOW()")
      try scene.node.start()
      for type in ["poller", "discovery", "services", "ping", "alerting", "billing", "maintenance"] {
        _ = try scene.node.awaitChild("librenms-\(type)d")
      }
      guard let supervisor = scene.node.dispatcher?.pid, let server = scene.server.pid else { throw FixtureError("no process to measure") }
      progress("idle: 10,000 devices, none due; 10 s to settle, 60 s measured")
      pause(.seconds(10))
      let before = TreeUsage(of: supervisor)
      let serverBefore = TreeUsage.cpuSeconds(server)
      let began = ContinuousClock.now
      pause(.seconds(60))
      let after = TreeUsage(of: supervisor)
      let seconds = (ContinuousClock.now - began) / .seconds(1)
      guard scene.node.journal.runs("poller").isEmpty else { throw FixtureError("a device was due: this was not idle") }
      rows = [
        ("CPU of \(after.cpu.count) idle processes, 10,000 devices", "\(rounded(100 * after.cpuSince(before) / seconds, 3)) %", "< 0.5 %"),
        ("wake-ups of all of them per second", rounded(Double(after.sleeps - before.sleeps) / seconds, 1), ""),
        ("CPU of MariaDB meanwhile", "\(rounded(100 * (TreeUsage.cpuSeconds(server) - serverBefore) / seconds, 3)) %", ""),
        ("proportional set size of the tree", "\(rounded(Double(after.proportionalKiB) / 1024, 1)) MiB", "<= 32 MiB"),
      ]
      for process in ProcessInfo.tree(of: supervisor) {
        rows.append(("  \(process.executable)", "\(rounded(Double(ProcessInfo.proportionalKiB(process.pid)) / 1024, 1)) MiB", ""))
      }
    }
    for row in rows { table.add(row.0, row.1, goal: row.2) }
  }
}
