import Core
import Database
import JobKit

/// The due lists of discovery.
struct DiscoveryDue: Sendable {
  /// Between two looks for overdue devices: there is no index for it, so each reads the whole table.
  static let interval = Duration.seconds(10)

  private let frequency: Double
  private let groups: String

  init(_ settings: Settings) {
    frequency = settings[.discovery].frequency.inSeconds
    groups = settings.groupCondition
  }

  /// Never discovered ones first, down or not; then overdue ones that are up, the longest poll first.
  ///
  /// An overdue one is held back while the service is younger than 1.25 times its last discovery: after a restart it may be running
  /// elsewhere still.
  func immediate(_ connection: DatabaseConnection, serviceAge: Duration) throws(DatabaseError) -> [DueJob] {
    let overdue = """
      `last_discovered` <= DATE_ADD(DATE_SUB(NOW(), INTERVAL ? SECOND), INTERVAL COALESCE(`last_discovered_timetaken`, 0) SECOND)
      """
    let sql = """
      SELECT `device_id`, `poller_group`, `last_discovered` IS NULL, `last_discovered` IS NULL OR \(overdue) FROM `devices`
      WHERE `disabled` = 0 AND \(groups) AND (`last_discovered` IS NULL OR (`status` = 1
        AND ? >= COALESCE(`last_discovered_timetaken`, 0) * 1.25 AND \(overdue)))
      ORDER BY `last_discovered` IS NULL DESC, `last_polled_timetaken` DESC
      """
    let due = frequency - 1
    let soon = due - Self.interval.inSeconds
    return try jobs(connection.query(sql, [.double(due), .double(serviceAge.inSeconds), .double(soon)]))
  }

  /// All enabled devices, down ones too: only a discovery notices what changed while a device was away.
  func all(_ connection: DatabaseConnection) throws(DatabaseError) -> [DueJob] {
    let sql = """
      SELECT `device_id`, `poller_group`, `last_discovered` IS NULL, TRUE FROM `devices` WHERE `disabled` = 0 AND \(groups)
      ORDER BY `last_discovered` IS NULL DESC, `last_polled_timetaken` DESC
      """
    return try jobs(connection.query(sql))
  }

  private func jobs(_ rows: [SQLRow]) -> [DueJob] {
    rows.compactMap { row in
      guard let id = row[0].int, let group = row[1].int else { return nil }
      return DueJob(payload: String(id), group: Int(group), isNewcomer: row[2].int == 1, isEarly: row[3].int != 1)
    }
  }
}
