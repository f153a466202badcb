import Core
import Database

/// What is due.
extension MariaDBSession {
  /// How often the longest time taken is read anew; that is a scan of the whole table.
  private static let boundLifetime = Duration.seconds(10)
  /// Seconds that a device may take longer than all did at the last look, before it is found late.
  private static let boundMargin = 10.0

  func due(_ question: DueQuestion, askedAt: MonotonicTime) throws(DatabaseError) -> [DueJob] {
    switch question {
    case .polls(let period, let lookAhead, let groups):
      return try polls(due: (period - DueQuestion.earliness).inSeconds, lookAhead: lookAhead.inSeconds, groups)
    case .discoveries(let period, let lookAhead, let groups, let startedAt):
      return try discoveries(
        due: (period - DueQuestion.earliness).inSeconds, lookAhead: lookAhead.inSeconds, groups, serviceAge: (askedAt - startedAt).inSeconds
      )
    case .allDevices(let groups): return try allDevices(groups)
    case .devicesWithServices(let groups): return try devicesWithServices(groups)
    case .deviceGroups(let groups):
      let sql = "SELECT DISTINCT `poller_group` FROM `devices` WHERE \(Self.condition(groups))"
      return try connection.query(sql).compactMap { row in row[0].int.map { DueJob(payload: "", group: Int($0)) } }
    case .fixed(let payloads, let fromServer):
      if fromServer { try connection.query("SELECT 1") }
      return payloads.map { DueJob(payload: $0, group: 0) }
    }
  }

  /// A device is due at `last_polled - last_polled_timetaken + period - 1`. There is an index on `last_polled` alone, so the query also
  /// bounds `last_polled` by the longest time taken of all devices: of 50,000 devices it then reads the few that can be due.
  private func polls(due: Double, lookAhead: Double, _ groups: [Int]?) throws(DatabaseError) -> [DueJob] {
    let soon = due - lookAhead
    // Seconds since the epoch: for many rows date arithmetic takes half as long again, and these know no summer time. As a double from the
    // start: a difference of unsigned integers below zero is an error.
    let age = "(0e0 + COALESCE(`last_polled_timetaken`, 0) + UNIX_TIMESTAMP() - UNIX_TIMESTAMP(`last_polled`))"
    let sql = """
      SELECT `device_id`, `poller_group`, `last_polled` IS NULL OR \(age) >= ? FROM `devices`
      WHERE (`last_polled` IS NULL OR `last_polled` <= DATE_SUB(NOW(), INTERVAL ? SECOND))
        AND `disabled` = 0 AND \(Self.condition(groups))
        AND NOT (`last_polled` IS NULL AND `last_discovered` IS NULL)
        AND (`last_polled` IS NULL OR \(age) >= ?)
      ORDER BY `last_polled_timetaken` DESC
      """
    let earliest = max(0, soon - (try longestPollSeconds()) - Self.boundMargin)
    var jobs: [DueJob] = []
    for row in try connection.query(sql, [.double(due), .double(earliest), .double(soon)]) {
      guard let id = row[0].int, let group = row[1].int else { continue }
      jobs.append(DueJob(payload: String(id), group: Int(group), isEarly: row[2].int != 1))
    }
    return jobs
  }

  private func longestPollSeconds() throws(DatabaseError) -> Double {
    let now = MonotonicTime.now
    if let known = longestPoll, known.until > now { return known.seconds }
    let row = try connection.query("SELECT COALESCE(MAX(`last_polled_timetaken`), 0) FROM `devices` WHERE `disabled` = 0").first
    let seconds = row?[0].double ?? 0
    longestPoll = (seconds, now + Self.boundLifetime)
    return seconds
  }

  private func discoveries(due: Double, lookAhead: Double, _ groups: [Int]?, serviceAge: Double) throws(DatabaseError) -> [DueJob] {
    let overdue = """
      `last_discovered` <= DATE_ADD(DATE_SUB(NOW(), INTERVAL ? SECOND), INTERVAL COALESCE(`last_discovered_timetaken`, 0) SECOND)
      """
    let sql = """
      SELECT `device_id`, `poller_group`, `last_discovered` IS NULL, `last_discovered` IS NULL OR \(overdue) FROM `devices`
      WHERE `disabled` = 0 AND \(Self.condition(groups)) AND (`last_discovered` IS NULL OR (`status` = 1
        AND ? >= COALESCE(`last_discovered_timetaken`, 0) * \(DueQuestion.restartMargin) AND \(overdue)))
      ORDER BY `last_discovered` IS NULL DESC, `last_polled_timetaken` DESC
      """
    return try Self.jobs(connection.query(sql, [.double(due), .double(serviceAge), .double(due - lookAhead)]))
  }

  private func allDevices(_ groups: [Int]?) throws(DatabaseError) -> [DueJob] {
    let sql = """
      SELECT `device_id`, `poller_group`, `last_discovered` IS NULL, TRUE FROM `devices` WHERE `disabled` = 0 AND \(Self.condition(groups))
      ORDER BY `last_discovered` IS NULL DESC, `last_polled_timetaken` DESC
      """
    return try Self.jobs(connection.query(sql))
  }

  private static func jobs(_ rows: [SQLRow]) -> [DueJob] {
    rows.compactMap { row in
      guard let id = row[0].int, let group = row[1].int else { return nil }
      return DueJob(payload: String(id), group: Int(group), isNewcomer: row[2].int == 1, isEarly: row[3].int != 1)
    }
  }

  /// By the device and not by its services: each device once, and MariaDB looks at one row of the index on services per device.
  private func devicesWithServices(_ groups: [Int]?) throws(DatabaseError) -> [DueJob] {
    let sql = """
      SELECT `device_id`, `poller_group` FROM `devices` WHERE `disabled` = 0 AND \(Self.condition(groups))
        AND EXISTS (SELECT 1 FROM `services` WHERE `services`.`device_id` = `devices`.`device_id`)
      ORDER BY `device_id`
      """
    return try connection.query(sql).compactMap { row in
      guard let id = row[0].int, let group = row[1].int else { return nil }
      return DueJob(payload: String(id), group: Int(group))
    }
  }
}
