import Core
import Database

/// What the diagnosis asks.
extension MariaDBSession {
  /// The index on `last_polled` finds the devices in the future.
  func clocks(_ question: ClocksQuestion) throws(DatabaseError) -> ClocksQuestion.Clocks {
    var clocks = ClocksQuestion.Clocks(clock: try ClockReading.read(connection))
    let counted = """
      SELECT COUNT(*), COALESCE(MAX(`seconds`), 0) FROM (
        SELECT TIMESTAMPDIFF(SECOND, NOW(), `last_polled`) AS `seconds` FROM `devices`
        WHERE `last_polled` > NOW() + INTERVAL \(ClocksQuestion.tolerance.components.seconds) SECOND AND `disabled` = 0
        ORDER BY `last_polled` DESC LIMIT \(ClocksQuestion.most)
      ) AS `early`
      """
    if let row = try connection.query(counted).first {
      clocks.ahead = row[0].int.map { Int($0) } ?? 0
      clocks.furthest = row[1].int.map { Int($0) } ?? 0
    }
    if !question.suspects.isEmpty {
      // Newer servers have words beside the numbers.
      let mode = try connection.query("SELECT CAST(@@global.read_only AS CHAR)").first?[0].text ?? "0"
      clocks.isReadOnly = !["0", "OFF", ""].contains(mode.uppercased())
    }
    for suspect in question.suspects {
      guard let id = Int64(suspect.device) else { continue }
      let sql = "SELECT TIMESTAMPDIFF(SECOND, `\(suspect.time.rawValue)`, NOW()) FROM `devices` WHERE `device_id` = ?"
      if let seconds = try connection.query(sql, [.int(id)]).first?[0].int { clocks.behind[suspect.type] = Int(seconds) }
    }
    return clocks
  }

  func coverage(_ question: CoverageQuestion) throws(DatabaseError) -> CoverageQuestion.Coverage {
    var coverage = CoverageQuestion.Coverage(devices: [:], others: [])
    for row in try connection.query("SELECT `poller_group`, COUNT(*) FROM `devices` WHERE `disabled` = 0 GROUP BY `poller_group`") {
      if let group = row[0].int, let count = row[1].int { coverage.devices[Int(group)] = Int(count) }
    }
    // All columns, since older versions of the table lack some.
    let sql = "SELECT * FROM `poller_cluster` WHERE `node_id` <> ? AND \(ServerZone.age("`last_report`")) < ?"
    for row in try connection.query(sql, [.text(question.nodeID), .int(question.oldestReport.components.seconds)]) {
      coverage.others.append(
        .init(groups: PollerGroupList.parse(row["poller_groups"]?.text ?? "") ?? [0], polls: row["poller_enabled"]?.int.map { $0 != 0 }))
    }
    return coverage
  }
}
