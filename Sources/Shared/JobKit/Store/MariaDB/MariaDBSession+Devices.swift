import Core
import Database

/// Single devices: just before their script starts, after an end that nobody saw, and on demand.
extension MariaDBSession {
  /// The smallest period of all nodes changes when an admin changes it.
  private static let periodLifetime = Duration.seconds(60)

  func fitness(_ question: FitnessQuestion) throws(DatabaseError) -> Fitness {
    switch question {
    case .presence(let item):
      guard let id = Int64(item.payload) else { return .skip("not a device id") }
      let sql = "SELECT `disabled`, `poller_group` FROM `devices` WHERE `device_id` = ?"
      guard let row = try connection.query(sql, [.int(id)]).first else { return .skip("no such device") }
      return Self.misplaced(row, item).map { .skip($0) } ?? .run
    case .device(let item, let time, let period):
      guard let id = Int64(item.payload) else { return .skip("not a device id") }
      let smallest = min(period.inSeconds, try clusterPeriod(time) ?? .infinity)
      let sql = """
        SELECT `disabled`, `poller_group`, COALESCE(
          DATE_SUB(`\(time.rawValue)`, INTERVAL COALESCE(`\(time.taken)`, 0) SECOND) > DATE_SUB(NOW(), INTERVAL ? SECOND), 0)
        FROM `devices` WHERE `device_id` = ?
        """
      let youngest = smallest / 2 + FitnessQuestion.grace.inSeconds
      guard let row = try connection.query(sql, [.double(youngest), .int(id)]).first else { return .skip("no such device") }
      if let reason = Self.misplaced(row, item) { return .skip(reason) }
      if item.score != QueueItem.onDemand, row[2].int == 1 { return .skip("\(time.rawValue) is newer than half a period") }
      return .run
    }
  }

  /// Why a device is not for this job, by its columns `disabled` and `poller_group`; nil = it is.
  private static func misplaced(_ row: SQLRow, _ item: QueueItem) -> String? {
    if row[0].int != 0 { return "disabled" }
    return row[1].int.map({ Int($0) }) == item.group ? nil : "now in group \(row[1].text ?? "none")"
  }

  private func clusterPeriod(_ time: DeviceTime) throws(DatabaseError) -> Double? {
    let now = MonotonicTime.now
    if let known = smallestPeriods[time], known.until > now { return known.seconds }
    let sql = "SELECT MIN(`\(time.period)`) FROM `poller_cluster` WHERE `\(time.period)` > 0"
    let seconds = try connection.query(sql).first?[0].double
    smallestPeriods[time] = (seconds, now + Self.periodLifetime)
    return seconds
  }

  func ending(_ question: UnseenEndQuestion) throws(DatabaseError) -> ExitCodePolicy.Ending {
    let sql = """
      SELECT COALESCE(`\(question.time.rawValue)` >= DATE_SUB(NOW(), INTERVAL ? SECOND), 0), `status` FROM `devices` WHERE `device_id` = ?
      """
    let age = SQLValue.double((question.age + UnseenEndQuestion.grace).inSeconds)
    guard let id = Int64(question.payload), let row = try connection.query(sql, [age, .int(id)]).first else { return .unseenLost }
    if row[0].int == 1 { return .unseenDone }
    return row[1].int == 0 ? .unseenDown : .unseenLost
  }

  func devices(_ question: DevicesQuestion) throws(DatabaseError) -> [Int64: DevicesQuestion.Device] {
    var devices: [Int64: DevicesQuestion.Device] = [:]
    guard !question.ids.isEmpty else { return devices }
    let places = question.ids.map { _ in "?" }.joined(separator: ", ")
    let sql = "SELECT `device_id`, `poller_group`, `disabled` FROM `devices` WHERE `device_id` IN (\(places))"
    for row in try connection.query(sql, question.ids.map { .int($0) }) {
      guard let id = row[0].int, let group = row[1].int else { continue }
      devices[id] = .init(group: Int(group), isDisabled: row[2].int != 0)
    }
    return devices
  }
}

extension DeviceTime {
  /// The column with the seconds that it took.
  fileprivate var taken: String { rawValue + "_timetaken" }

  /// The node's setting in `poller_cluster`.
  fileprivate var period: String {
    switch self {
    case .polled: "poller_frequency"
    case .discovered: "discovery_frequency"
    }
  }
}
