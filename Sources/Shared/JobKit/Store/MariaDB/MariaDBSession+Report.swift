import Core
import Database

/// What the node writes about itself.
extension MariaDBSession {
  /// Looked for first and not "on duplicate key": that would use up a number of the table's counter each time.
  func write(_ report: NodeReport) throws(DatabaseError) -> NodeReport.Written {
    let find = "SELECT `id`, `last_report` FROM `poller_cluster` WHERE `node_id` = ?"
    let known = try connection.query(find, [.text(report.nodeID)]).first
    if known == nil {
      if let refusal = report.refusal { throw refusal }
      try connection.query(
        """
        INSERT IGNORE INTO `poller_cluster` (`node_id`, `poller_name`, `poller_groups`, `poller_version`, `last_report`, `master`)
        VALUES (?, ?, ?, ?, \(ServerZone.now), ?)
        """,
        [.text(report.nodeID), .text(report.name), .text(report.groups), .text(report.version), .int(report.isMaster ? 1 : 0)])
    } else {
      try connection.query(
        "UPDATE `poller_cluster` SET `poller_version` = ?, `last_report` = \(ServerZone.now), `master` = ? WHERE `node_id` = ?",
        [.text(report.version), .int(report.isMaster ? 1 : 0), .text(report.nodeID)])
    }
    guard let row = try connection.query(find, [.text(report.nodeID)]).first, let id = row[0].int else {
      throw DatabaseError(kind: .statement, number: 0, text: "the row of this node in poller_cluster can't be found again")
    }
    try writeRows(report.rows, parent: id)
    var others: [NodeReport.OtherNode] = []
    if let staleMasterAge = report.staleMasterAge {
      others = try otherNodes(than: report.nodeID)
      try connection.query(
        "UPDATE `poller_cluster` SET `master` = 0 WHERE `master` = 1 AND `node_id` <> ? AND \(ServerZone.age("`last_report`")) > ?",
        [.text(report.nodeID), .int(staleMasterAge.components.seconds)])
    }
    return .init(before: known?[1].text, after: row[1].text ?? "", others: others)
  }

  private func otherNodes(than nodeID: String) throws(DatabaseError) -> [NodeReport.OtherNode] {
    let sql = """
      SELECT `node_id`, `poller_name`, `poller_groups`, `master`, \(ServerZone.age("`last_report`")) FROM `poller_cluster`
      WHERE `node_id` <> ? AND \(ServerZone.age("`last_report`")) < ?
      """
    return try connection.query(sql, [.text(nodeID), .int(NodeReport.othersAge.components.seconds)]).map { row in
      .init(
        node: row[0].text ?? "", name: row[1].text ?? "", groups: PollerGroupList.parse(row[2].text ?? "") ?? [0],
        isMaster: row[3].int == 1,
        age: .seconds(row[4].int ?? 0))
    }
  }

  private func writeRows(_ rows: [NodeReport.TypeRow], parent: Int64) throws(DatabaseError) {
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

  func clearMaster(nodeID: String) throws(DatabaseError) {
    try connection.query("UPDATE `poller_cluster` SET `master` = 0 WHERE `node_id` = ?", [.text(nodeID)])
  }
}
