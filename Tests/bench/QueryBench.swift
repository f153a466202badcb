import Fixture
import Glibc

/// The dispatcher's own queries on 50,000 devices of which none is due, timed by the server in its log of slow queries.
enum QueryBench {
  private static let configuration: [String: JSON] = [
    "service_ping_enabled": false, "service_update_enabled": false, "service_alerting_enabled": false, "service_billing_enabled": false,
    "service_services_enabled": false,
  ]

  static func run(into table: inout ResultTable) throws {
    // The bound on the index is `last_polled <= NOW() - (300 - 1 - longest time taken - margin)`. With the longest at 95 s, all that were polled
    // 200 s ago are within it, and none is due for another 97 s.
    try measure("selective bound", polled: "NOW()", longest: 2, goal: "< 5 ms", into: &table)
    try measure("bound that selects all", polled: "NOW() - INTERVAL 200 SECOND", longest: 95, goal: "< 60 ms", into: &table)
  }

  private static func measure(_ name: String, polled: String, longest: Int, goal: String, into table: inout ResultTable) throws {
    var times: (poll: [Double], discovery: [Double]) = ([], [])
    try Scene.play(configuration, bufferPool: "192M") { scene in
      try scene.server.addDevices(50_000, lastPolled: polled)
      try scene.server.query("UPDATE devices SET last_polled = NOW(), last_polled_timetaken = \(longest) WHERE device_id = 1")
      // The server's own statistics as a server has them that runs for a while.
      try scene.server.query("ANALYZE TABLE devices")
      let log = scene.server.directory.path + "/slow.log"
      try scene.server.query("SET GLOBAL slow_query_log_file = '\(log)', GLOBAL slow_query_log = ON, GLOBAL long_query_time = 0")
      progress("queries: 50,000 devices, none due, \(name); 30 s")
      try scene.node.start()
      pause(.seconds(30))
      guard scene.node.journal.runs("poller").isEmpty, scene.node.journal.runs("discovery").isEmpty else {
        throw FixtureError("a device was due")
      }
      times = Self.parse(readText(log) ?? "")
    }
    guard let poll = summary(times.poll), let discovery = summary(times.discovery) else {
      throw FixtureError("no query in the server's log")
    }
    table.add("poll query, 50,000 devices, \(name)", poll, goal: goal)
    table.add("discovery query, same devices", discovery)
  }

  /// Median and maximum in milliseconds.
  private static func summary(_ seconds: [Double]) -> String? {
    let sorted = seconds.sorted()
    guard let most = sorted.last else { return nil }
    return "\(rounded(sorted[sorted.count / 2] * 1000)) ms median, \(rounded(most * 1000)) ms most, of \(sorted.count)"
  }

  /// The first query of each connection may wait for cold pages; it counts like the others.
  private static func parse(_ log: String) -> (poll: [Double], discovery: [Double]) {
    var (poll, discovery): ([Double], [Double]) = ([], [])
    var seconds = 0.0
    var statement = ""
    func finish() {
      guard statement.contains("FROM `devices`"), statement.contains("`poller_group` IN") else { return }
      // Both name both columns; each orders or bounds by its own.
      if statement.contains("`last_discovered` <=") {
        discovery.append(seconds)
      } else if statement.contains("`last_polled` <=") {
        poll.append(seconds)
      }
    }
    for line in log.split(separator: "\n") {
      if line.hasPrefix("# Query_time:") {
        finish()
        statement = ""
        let words = line.split(separator: " ")
        seconds = words.count > 2 ? Double(words[2]) ?? 0 : 0
      } else if !line.hasPrefix("#") {
        statement += line + " "
      }
    }
    finish()
    return (poll, discovery)
  }
}
