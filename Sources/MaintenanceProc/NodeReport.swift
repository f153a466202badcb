import Core
import Database
import JobKit

/// What the node says about itself in `poller_cluster` and `poller_cluster_stats`, at one moment.
struct NodeReport: Sendable {
  /// One row of `poller_cluster_stats`.
  struct TypeRow: Equatable, Sendable {
    var type: TaskType
    var depth: Int
    var jobs: Int
    var seconds: Double
    var workers: Int
    var frequency: Int
  }

  /// The six types that the web page draws; maintenance is no scheduler type of LibreNMS.
  static let types: [TaskType] = [.poller, .discovery, .services, .ping, .billing, .alerting]

  var nodeID: String
  var name: String
  var groups: String
  var version: String
  var isMaster: Bool
  var rows: [TypeRow]
  /// Rows of other nodes that say that they are master and are older than this are cleared by a master; nil = not ours to clear.
  var staleMasterAge: Duration?

  /// A type whose child has not said anything lately has no row in this report, so its last one stays: a zero would be a lie. One that no
  /// child runs has nothing waiting and does nothing.
  init(_ settings: Settings, isMaster: Bool, heartbeats: [TaskType: Heartbeat]) {
    nodeID = settings.nodeID
    name = settings.pollerName
    groups = settings.groups.map(String.init).joined(separator: ",")
    version = ProductVersion.text
    self.isMaster = isMaster
    staleMasterAge = isMaster ? settings.masterTimeout * 2 : nil
    rows = Self.types.compactMap { type in
      let schedule = settings[type]
      var row = TypeRow(
        type: type, depth: 0, jobs: 0, seconds: 0, workers: Self.workers(type, schedule), frequency: Int(schedule.frequency.inSeconds))
      if let beat = heartbeats[type], beat.queueIsKnown {
        row.depth = max(0, beat.queued)
        row.jobs = max(0, beat.recentJobs)
        row.seconds = max(0, beat.consumed.inSeconds)
        return row
      }
      return schedule.enabled || settings.isClustered ? nil : row
    }
  }

  /// As the Python service reports them, whose worker counts of these types are fixed.
  private static func workers(_ type: TaskType, _ schedule: Schedule) -> Int {
    switch type {
    case .alerting, .ping: 1
    case .billing: 2
    default: schedule.workers
    }
  }

  /// Writes it. `last_report` before and after: what is in between was written by somebody else.
  struct Written: Equatable, Sendable {
    /// When the row was reported before this report; nil = it is new.
    var before: String?
    var after: String
    /// The other living nodes, if this one leads: as they were before the report cleared anything in their rows.
    var others: [RivalPolicy.Row] = []
  }

  /// A node of ours reports every 30 s, one of Python's each polling period.
  private static let leastAge = 180

  /// Name and groups are written with a new row only: later they are the admin's.
  ///
  /// Looked for first and not "on duplicate key": that would use up a number of the table's counter each time.
  func write(_ connection: DatabaseConnection) throws(DatabaseError) -> Written {
    let find = "SELECT `id`, `last_report` FROM `poller_cluster` WHERE `node_id` = ?"
    let known = try connection.query(find, [.text(nodeID)]).first
    if known == nil {
      // A server that is not strict would cut them off, and what is left then wins over the configuration.
      for (column, text) in [("poller_name", name), ("poller_groups", groups)] where text.count > 255 {
        throw DatabaseError(
          kind: .statement, number: 0,
          text: "\(column) has room for 255 characters and this node's would need \(text.count): \(text.prefix(40))…")
      }
      try connection.query(
        """
        INSERT IGNORE INTO `poller_cluster` (`node_id`, `poller_name`, `poller_groups`, `poller_version`, `last_report`, `master`)
        VALUES (?, ?, ?, ?, \(ServerZone.now), ?)
        """, [.text(nodeID), .text(name), .text(groups), .text(version), .int(isMaster ? 1 : 0)])
    } else {
      try connection.query(
        "UPDATE `poller_cluster` SET `poller_version` = ?, `last_report` = \(ServerZone.now), `master` = ? WHERE `node_id` = ?",
        [.text(version), .int(isMaster ? 1 : 0), .text(nodeID)])
    }
    guard let row = try connection.query(find, [.text(nodeID)]).first, let id = row[0].int else {
      throw DatabaseError(kind: .statement, number: 0, text: "the row of this node in poller_cluster can't be found again")
    }
    try writeRows(connection, parent: id)
    var others: [RivalPolicy.Row] = []
    if let staleMasterAge {
      let sql = """
        SELECT `node_id`, `poller_name`, `poller_groups`, `master`, \(ServerZone.age("`last_report`")) FROM `poller_cluster`
        WHERE `node_id` <> ? AND \(ServerZone.age("`last_report`")) < ?
        """
      for row in try connection.query(sql, [.text(nodeID), .int(Int64(Self.leastAge))]) {
        others.append(
          .init(
            node: row[0].text ?? "", name: row[1].text ?? "", groups: PollerGroupList.parse(row[2].text ?? "") ?? [0],
            isMaster: row[3].int == 1,
            age: .seconds(row[4].int ?? 0)))
      }
      try connection.query(
        "UPDATE `poller_cluster` SET `master` = 0 WHERE `master` = 1 AND `node_id` <> ? AND \(ServerZone.age("`last_report`")) > ?",
        [.text(nodeID), .int(staleMasterAge.components.seconds)])
    }
    return Written(before: known?[1].text, after: row[1].text ?? "", others: others)
  }

  private func writeRows(_ connection: DatabaseConnection, parent: Int64) throws(DatabaseError) {
    guard !rows.isEmpty else { return }
    let present = Set(
      try connection.query("SELECT `poller_type` FROM `poller_cluster_stats` WHERE `parent_poller` = ?", [.int(parent)]).compactMap(
        \.[0].text))
    for row in rows {
      let figures: [SQLValue] = [
        .int(Int64(row.depth)), .int(Int64(row.jobs)), .double(row.seconds), .int(Int64(row.workers)), .int(Int64(row.frequency)),
      ]
      let sql =
        present.contains(row.type.rawValue)
        ? """
        UPDATE `poller_cluster_stats` SET `depth` = ?, `devices` = ?, `worker_seconds` = ?, `workers` = ?, `frequency` = ?
        WHERE `parent_poller` = ? AND `poller_type` = ?
        """
        : """
        INSERT IGNORE INTO `poller_cluster_stats`
          (`depth`, `devices`, `worker_seconds`, `workers`, `frequency`, `parent_poller`, `poller_type`) VALUES (?, ?, ?, ?, ?, ?, ?)
        """
      try connection.query(sql, figures + [.int(parent), .text(row.type.rawValue)])
    }
  }

  /// The last word of a node that stops: another one leads now.
  static func clearMaster(_ connection: DatabaseConnection, nodeID: String) throws(DatabaseError) -> Bool {
    try connection.query("UPDATE `poller_cluster` SET `master` = 0 WHERE `node_id` = ?", [.text(nodeID)])
    return true
  }
}
