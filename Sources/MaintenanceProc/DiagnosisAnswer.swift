import Core
import Database

/// What the diagnosis asks the database. Runs on the SQL thread.
enum DiagnosisAnswer {
  /// Clocks, and what they have done to the times of devices.
  struct Clocks: Sendable {
    /// More are not counted.
    static let most = 1000
    /// A poll that ends now may be noted in the second that comes.
    private static let tolerance = 60

    var clock: ClockReading?
    /// Seconds that a device's time is behind NOW(), by type; without the types whose device has none.
    var behind: [TaskType: Int] = [:]
    /// Devices whose last poll is in the future, and by how many seconds at most.
    var ahead = 0
    var furthest = 0
    /// The server takes no writes of ordinary users; asked only for a suspicion.
    var isReadOnly = false

    /// `questions`: type, device and column. The index on `last_polled` finds the devices in the future.
    init(
      _ connection: DatabaseConnection, _ questions: [(type: TaskType, device: String, column: String)]
    ) throws(DatabaseError) {
      clock = try ClockReading.read(connection)
      let counted = """
        SELECT COUNT(*), COALESCE(MAX(`seconds`), 0) FROM (
          SELECT TIMESTAMPDIFF(SECOND, NOW(), `last_polled`) AS `seconds` FROM `devices`
          WHERE `last_polled` > NOW() + INTERVAL \(Self.tolerance) SECOND AND `disabled` = 0 ORDER BY `last_polled` DESC LIMIT \(Self.most)
        ) AS `early`
        """
      if let row = try connection.query(counted).first {
        ahead = row[0].int.map { Int($0) } ?? 0
        furthest = row[1].int.map { Int($0) } ?? 0
      }
      if !questions.isEmpty {
        // Newer servers have words beside the numbers.
        let mode = try connection.query("SELECT CAST(@@global.read_only AS CHAR)").first?[0].text ?? "0"
        isReadOnly = !["0", "OFF", ""].contains(mode.uppercased())
      }
      for question in questions {
        guard let id = Int64(question.device) else { continue }
        let sql = "SELECT TIMESTAMPDIFF(SECOND, `\(question.column)`, NOW()) FROM `devices` WHERE `device_id` = ?"
        if let seconds = try connection.query(sql, [.int(id)]).first?[0].int { behind[question.type] = Int(seconds) }
      }
    }
  }

  /// Which groups have devices, and which nodes live.
  struct Groups: Sendable {
    /// A node of ours reports every 30 s, one of Python's each polling period.
    private static let leastAge = 180

    /// Enabled devices by group.
    var devices: [Int: Int] = [:]
    var others: [GroupCoveragePolicy.Node] = []

    init(_ connection: DatabaseConnection, nodeID: String, frequency: Duration) throws(DatabaseError) {
      for row in try connection.query("SELECT `poller_group`, COUNT(*) FROM `devices` WHERE `disabled` = 0 GROUP BY `poller_group`") {
        if let group = row[0].int, let count = row[1].int { devices[Int(group)] = Int(count) }
      }
      // All columns, since older versions of the table lack some.
      let sql = "SELECT * FROM `poller_cluster` WHERE `node_id` <> ? AND \(ServerZone.age("`last_report`")) < ?"
      let age = max(Int64(Self.leastAge), 2 * frequency.components.seconds)
      for row in try connection.query(sql, [.text(nodeID), .int(age)]) {
        others.append(
          .init(groups: PollerGroupList.parse(row["poller_groups"]?.text ?? "") ?? [0], polls: row["poller_enabled"]?.int.map { $0 != 0 }))
      }
    }
  }
}
