import Fixture
import Glibc

/// Two hundred devices every 20 s with scripts of a second: how exact the starts are under that load.
enum ScheduleBench {
  private static let configuration: [String: JSON] = [
    "service_poller_frequency": 20, "service_poller_workers": 24, "service_discovery_enabled": false, "service_ping_enabled": false,
    "service_update_enabled": false, "service_alerting_enabled": false, "service_billing_enabled": false,
    "service_services_enabled": false,
  ]

  static func run(into table: inout ResultTable) throws {
    var rows: [(String, String, String)] = []
    try Scene.play(configuration) { scene in
      try scene.server.addDevices(200, lastPolled: "NOW() - INTERVAL 1 DAY")
      try scene.node.start()
      progress("schedule: 200 devices every 20 s, scripts of 1 s, 85 s")
      pause(.seconds(85))
      _ = scene.node.stop()
      let intervals = scene.node.journal.intervals("poller").sorted()
      guard let first = intervals.first, let last = intervals.last else { throw FixtureError("nothing was polled twice") }
      let exact = intervals.filter { abs($0 - 20) <= 1 }.count
      rows = [
        (
          "start to start of \(intervals.count) polls, period 20 s: least, median, most",
          "\(rounded(first)), \(rounded(intervals[intervals.count / 2])), \(rounded(last)) s", ""
        ),
        ("of them within 1 s of the period", "\(rounded(100 * Double(exact) / Double(intervals.count), 1)) %", ">= 99 %"),
      ]
    }
    for row in rows { table.add(row.0, row.1, goal: row.2) }
  }
}
