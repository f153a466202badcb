import Core
import Database

/// The look at a device under its lock, just before its script starts, and after an end that nobody saw.
///
/// What it remembers is touched on the SQL thread only.
public final class DeviceCheck: @unchecked Sendable {
  /// Which of a device's times belong to a type. The raw values are the columns of `devices`.
  public enum Column: String, Sendable {
    case polled = "last_polled"
    case discovered = "last_discovered"

    var taken: String { rawValue + "_timetaken" }
    /// The node's setting in `poller_cluster`.
    var frequency: String {
      switch self {
      case .polled: "poller_frequency"
      case .discovered: "discovery_frequency"
      }
    }
  }

  /// The smallest period of all nodes changes when an admin changes it.
  private static let periodLifetime = Duration.seconds(60)

  private let column: Column
  private let fitnessQuery: String
  private let judgeQuery: String
  private let periodQuery: String
  private var smallestPeriod: (seconds: Double?, until: MonotonicTime)?

  public init(_ column: Column) {
    self.column = column
    fitnessQuery = """
      SELECT `disabled`, `poller_group`, COALESCE(
        DATE_SUB(`\(column.rawValue)`, INTERVAL COALESCE(`\(column.taken)`, 0) SECOND) > DATE_SUB(NOW(), INTERVAL ? SECOND), 0)
      FROM `devices` WHERE `device_id` = ?
      """
    judgeQuery = """
      SELECT COALESCE(`\(column.rawValue)` >= DATE_SUB(NOW(), INTERVAL ? SECOND), 0), `status` FROM `devices` WHERE `device_id` = ?
      """
    periodQuery = "SELECT MIN(`\(column.frequency)`) FROM `poller_cluster` WHERE `\(column.frequency)` > 0"
  }

  /// Skips a device that is gone, disabled, in another group, or was begun less than half of the smallest period in the cluster ago.
  ///
  /// The begin is the noted end less the time taken: counted from the end, a device whose script takes over half a period would be
  /// skipped when it is due. One second more than half, since both times are cut to whole seconds.
  public func fitness(_ item: QueueItem, frequency: Duration) -> @Sendable (DatabaseConnection) throws(DatabaseError) -> Fitness {
    { [self] connection throws(DatabaseError) in
      guard let id = Int64(item.payload) else { return .skip("not a device id") }
      let period = min(frequency.inSeconds, try clusterPeriod(connection) ?? .infinity)
      guard let row = try connection.query(fitnessQuery, [.double(period / 2 + 1), .int(id)]).first else { return .skip("no such device") }
      if let reason = Self.misplaced(row, item) { return .skip(reason) }
      if item.score != QueueItem.onDemand, row[2].int == 1 { return .skip("\(column.rawValue) is newer than half a period") }
      return .run
    }
  }

  /// Skips a device that is gone, disabled or in another group, whenever it was done last.
  public static func presence(_ item: QueueItem) -> @Sendable (DatabaseConnection) throws(DatabaseError) -> Fitness {
    { connection throws(DatabaseError) in
      guard let id = Int64(item.payload) else { return .skip("not a device id") }
      let sql = "SELECT `disabled`, `poller_group` FROM `devices` WHERE `device_id` = ?"
      guard let row = try connection.query(sql, [.int(id)]).first else { return .skip("no such device") }
      return misplaced(row, item).map { .skip($0) } ?? .run
    }
  }

  /// Why a device is not for this job, by its columns `disabled` and `poller_group`; nil = it is.
  private static func misplaced(_ row: SQLRow, _ item: QueueItem) -> String? {
    if row[0].int != 0 { return "disabled" }
    return row[1].int.map({ Int($0) }) == item.group ? nil : "now in group \(row[1].text ?? "none")"
  }

  private func clusterPeriod(_ connection: DatabaseConnection) throws(DatabaseError) -> Double? {
    let now = MonotonicTime.now
    if let known = smallestPeriod, known.until > now { return known.seconds }
    let seconds = try connection.query(periodQuery).first?[0].double
    smallestPeriod = (seconds, now + Self.periodLifetime)
    return seconds
  }

  /// Whether a script that ended unseen did its work: its time in `devices` moved since the start.
  ///
  /// A device that is marked down would answer no sooner; one that is up lost its script with the dispatcher and is free at once.
  public func judge(_ item: QueueItem, age: Duration) -> @Sendable (DatabaseConnection) throws(DatabaseError) -> ExitCodePolicy.Ending {
    { [self] connection throws(DatabaseError) in
      // A whole second of grace: the column has no fractions.
      let seconds = SQLValue.double(age.inSeconds + 1)
      guard let id = Int64(item.payload), let row = try connection.query(judgeQuery, [seconds, .int(id)]).first else { return .unseenLost }
      if row[0].int == 1 { return .unseenDone }
      return row[1].int == 0 ? .unseenDown : .unseenLost
    }
  }
}
