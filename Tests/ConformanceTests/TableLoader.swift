import Core
import Database
import Fixture
import Simulation

/// Writes simulated rows into a real server, and reads them again.
struct TableLoader {
  private let connection: DatabaseConnection

  init(_ connection: DatabaseConnection) { self.connection = connection }

  /// Replaces all rows. The server has its zone already: reports are texts in it.
  func load(_ tables: SimulatedTables) throws {
    for table in ["devices", "services", "poller_cluster", "poller_cluster_stats"] { try connection.query("DELETE FROM `\(table)`") }
    for device in tables.devices { try put(device.id, device) }
    for row in tables.cluster {
      try connection.query(
        """
        INSERT INTO `poller_cluster` (`node_id`, `poller_name`, `poller_version`, `poller_groups`, `last_report`, `master`, `poller_enabled`,
          `poller_frequency`, `discovery_frequency`)
        VALUES (?, ?, ?, ?, CONVERT_TZ(FROM_UNIXTIME(?), '+00:00', @@global.time_zone), ?, ?, ?, ?)
        """,
        [
          .text(row.nodeID), .text(row.name), .text(row.version), .text(row.groups), .int(row.lastReport), .int(Int64(row.master)),
          number(row.pollerEnabled), number(row.pollerFrequency), number(row.discoveryFrequency),
        ])
      let id = Int64(connection.insertID)
      for (type, figures) in row.stats.sorted(by: { $0.key < $1.key }) {
        try connection.query(
          """
          INSERT INTO `poller_cluster_stats` (`parent_poller`, `poller_type`, `depth`, `devices`, `worker_seconds`, `workers`, `frequency`)
          VALUES (?, ?, ?, ?, ?, ?, ?)
          """,
          [
            .int(id), .text(type), .int(Int64(figures.depth)), .int(Int64(figures.devices)), .double(figures.workerSeconds),
            .int(Int64(figures.workers)), .int(Int64(figures.frequency)),
          ])
      }
    }
  }

  /// nil = no such device.
  func put(_ id: Int64, _ device: SimulatedDevice?) throws {
    // The zero date is no date to a strict server.
    try connection.query("SET SESSION sql_mode = ''")
    try connection.query("DELETE FROM `services` WHERE `device_id` = ?", [.int(id)])
    guard let device else {
      try connection.query("DELETE FROM `devices` WHERE `device_id` = ?", [.int(id)])
      return
    }
    let instant = { (column: String) in "CASE ? WHEN 0 THEN '0000-00-00 00:00:00' ELSE FROM_UNIXTIME(?) END" }
    try connection.query(
      """
      REPLACE INTO `devices` (`device_id`, `hostname`, `status_reason`, `poller_group`, `disabled`, `status`, `last_polled`,
        `last_polled_timetaken`, `last_discovered`, `last_discovered_timetaken`)
      VALUES (?, ?, '', ?, ?, ?, \(instant("last_polled")), ?, \(instant("last_discovered")), ?)
      """,
      [
        .int(id), .text(device.hostname), .int(Int64(device.group)), .int(device.isDisabled ? 1 : 0), .int(Int64(device.status)),
        number(device.lastPolled), number(device.lastPolled), device.lastPolledTaken.map { .double($0) } ?? .null,
        number(device.lastDiscovered), number(device.lastDiscovered), device.lastDiscoveredTaken.map { .double($0) } ?? .null,
      ])
    if device.hasServices {
      for _ in 0..<2 { try connection.query("INSERT INTO `services` (`device_id`, `service_type`) VALUES (?, 'ping')", [.int(id)]) }
    }
  }

  /// The rows of the nodes, in the order in which they came.
  func cluster() throws -> [SimulatedClusterRow] {
    var stats: [Int64: [String: SimulatedClusterRow.Figures]] = [:]
    for row in try connection.query(
      "SELECT `parent_poller`, `poller_type`, `depth`, `devices`, `worker_seconds`, `workers`, `frequency` FROM `poller_cluster_stats`")
    {
      stats[row[0].int ?? 0, default: [:]][row[1].text ?? ""] = .init(
        depth: Int(row[2].int ?? -1), devices: Int(row[3].int ?? -1), workerSeconds: row[4].double ?? -1, workers: Int(row[5].int ?? -1),
        frequency: Int(row[6].int ?? -1))
    }
    return try connection.query(
      """
      SELECT `id`, `node_id`, `poller_name`, `poller_groups`, UNIX_TIMESTAMP(CONVERT_TZ(`last_report`, @@global.time_zone, '+00:00')),
        `poller_version`, `master`, `poller_enabled`, `poller_frequency`, `discovery_frequency`
      FROM `poller_cluster` ORDER BY `id`
      """
    ).map { row in
      var node = SimulatedClusterRow(
        nodeID: row[1].text ?? "", name: row[2].text ?? "", groups: row[3].text ?? "", lastReport: row[4].int ?? -1)
      node.version = row[5].text ?? ""
      node.master = Int(row[6].int ?? -1)
      node.pollerEnabled = row[7].int.map { Int($0) }
      node.pollerFrequency = row[8].int.map { Int($0) }
      node.discoveryFrequency = row[9].int.map { Int($0) }
      node.stats = row[0].int.flatMap { stats[$0] } ?? [:]
      return node
    }
  }

  private func number<Number: BinaryInteger>(_ value: Number?) -> SQLValue { value.map { .int(Int64($0)) } ?? .null }
}

extension MariaDBServer {
  /// As the children connect.
  func connect() throws -> DatabaseConnection {
    var settings = DatabaseSettings()
    settings.socket = socket
    settings.password = password
    let limit = Duration.seconds(5)
    let connection = DatabaseConnection(settings: settings, connectTimeout: limit, readTimeout: limit, writeTimeout: limit)
    try connection.connect()
    return connection
  }
}
