import Core
import Database
import JobKit

/// The due list of polling, asked every second. Lives on the SQL thread.
///
/// A device is due at `last_polled - last_polled_timetaken + frequency - 1`. There is an index on `last_polled` alone, so the query also
/// bounds `last_polled` by the longest time taken of all devices: of 50,000 devices it then reads the few that can be due.
final class PollDue: @unchecked Sendable {
  /// How often the longest time taken is read anew; that is a scan of the whole table.
  private static let boundLifetime = Duration.seconds(10)
  /// A device may take this much longer than all did at the last look, before it is found late.
  private static let boundMargin = 10.0
  /// Devices that become due within this are named too: this node knows to the millisecond when their period is over.
  static let lookAhead = Duration.seconds(1)

  private let frequency: Double
  private let sql: String
  private var bound = 0.0
  private var boundUntil: MonotonicTime?

  init(_ settings: Settings) {
    frequency = settings[.poller].frequency.inSeconds
    // Seconds since the epoch: for many rows date arithmetic takes half as long again, and these know no summer time.
    sql = """
      SELECT `device_id`, `poller_group`, `last_polled` IS NULL OR \(Self.age) >= ? FROM `devices`
      WHERE (`last_polled` IS NULL OR `last_polled` <= DATE_SUB(NOW(), INTERVAL ? SECOND))
        AND `disabled` = 0 AND \(settings.groupCondition)
        AND NOT (`last_polled` IS NULL AND `last_discovered` IS NULL)
        AND (`last_polled` IS NULL OR \(Self.age) >= ?)
      ORDER BY `last_polled_timetaken` DESC
      """
  }

  /// Seconds since the last poll began. As a double from the start: a difference of unsigned integers below zero is an error.
  private static let age = "(0e0 + COALESCE(`last_polled_timetaken`, 0) + UNIX_TIMESTAMP() - UNIX_TIMESTAMP(`last_polled`))"

  func fetch(_ connection: DatabaseConnection) throws(DatabaseError) -> [DueJob] {
    let now = MonotonicTime.now
    if boundUntil.map({ $0 <= now }) ?? true {
      let row = try connection.query("SELECT COALESCE(MAX(`last_polled_timetaken`), 0) FROM `devices` WHERE `disabled` = 0").first
      bound = row?[0].double ?? 0
      boundUntil = now + Self.boundLifetime
    }
    let due = frequency - 1
    let soon = due - Self.lookAhead.inSeconds
    let earliest = max(0, soon - bound - Self.boundMargin)
    var jobs: [DueJob] = []
    for row in try connection.query(sql, [.double(due), .double(earliest), .double(soon)]) {
      guard let id = row[0].int, let group = row[1].int else { continue }
      jobs.append(DueJob(payload: String(id), group: Int(group), isEarly: row[2].int != 1))
    }
    return jobs
  }
}
