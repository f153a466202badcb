/// The tables and columns of LibreNMS that the dispatcher reads and writes.
enum SchemaComparison {
  static let needed: [(table: String, columns: [String])] = [
    (
      "devices",
      [
        "device_id", "hostname", "disabled", "status", "poller_group", "last_polled", "last_polled_timetaken", "last_discovered",
        "last_discovered_timetaken",
      ]
    ),
    ("services", ["device_id"]),
    ("poller_cluster", ["id", "node_id", "poller_name", "poller_version", "poller_groups", "last_report", "master", "poller_frequency"]),
    (
      "poller_cluster_stats", ["parent_poller", "poller_type", "depth", "devices", "worker_seconds", "workers", "frequency"]
    ),
    ("config", ["config_name", "config_value"]),
  ]

  /// The admin's columns of `poller_cluster`; older versions lack some and then simply can't set them per node.
  static let optional = [
    "poller_enabled", "poller_workers", "poller_down_retry", "discovery_enabled", "discovery_frequency", "discovery_workers",
    "services_enabled", "services_frequency", "services_workers", "billing_enabled", "billing_frequency", "billing_calculate_frequency",
    "alerting_enabled", "alerting_frequency", "ping_enabled", "ping_frequency", "update_enabled", "update_frequency", "loglevel",
    "watchdog_enabled", "watchdog_log",
  ]

  /// `present`: "table.column" of everything the database shows to this user.
  static func checks(_ present: Set<String>) -> [Check] {
    var checks: [Check] = []
    let update = "update LibreNMS, or run `./lnms migrate` as its user"
    for (table, columns) in needed {
      let absent = columns.filter { !present.contains("\(table).\($0)") }
      if absent.count == columns.count {
        checks.append(.fail("schema", "table \(table) is missing, or this user may not see it", update))
      } else if !absent.isEmpty {
        checks.append(.fail("schema", "table \(table) lacks \(absent.joined(separator: ", "))", update))
      }
    }
    if checks.isEmpty {
      let absent = optional.filter { !present.contains("poller_cluster.\($0)") }
      checks.append(
        absent.isEmpty
          ? .ok("schema", "all tables and columns are there")
          : .warn("schema", "poller_cluster lacks \(absent.joined(separator: ", ")): not to be set per node", update))
    }
    return checks
  }
}
