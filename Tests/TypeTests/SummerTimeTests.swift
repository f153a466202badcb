import Core
import Database
import Fixture
import Testing

@testable import JobKit
@testable import MaintenanceProc

/// Both changes of summer time in Europe, in a server that has the zone from its host, by name, or not at all: what is due is due by instants.
///
/// `SET timestamp` gives a session its time, so nothing waits.
@Suite(.serialized) final class SummerTimeTests {
  /// 03:00 CEST becomes 02:00 CET; 02:00 CET becomes 03:00 CEST. Seconds since the epoch.
  private static let changes = [1_792_890_000, 1_774_746_000]
  /// From an hour and a half before to two and a quarter after, and a summer and a winter day.
  private static let offsets = Array(stride(from: -5400, through: 8100, by: 450)) + [-864_000, -50, -1, 864_000]

  private let mark = ProcessMark()
  private let server: MariaDBServer

  init() throws {
    server = try MariaDBServer(mark: mark, zone: "Europe/Berlin")
    // The server's own tool for this is in another package: the four changes around those above.
    try server.query(
      """
      INSERT INTO mysql.time_zone (Time_zone_id, Use_leap_seconds) VALUES (7, 'N');
      INSERT INTO mysql.time_zone_name (Name, Time_zone_id) VALUES ('Europe/Berlin', 7);
      INSERT INTO mysql.time_zone_transition_type (Time_zone_id, Transition_type_id, `Offset`, Is_DST, Abbreviation)
        VALUES (7, 0, 3600, 0, 'CET'), (7, 1, 7200, 1, 'CEST');
      INSERT INTO mysql.time_zone_transition (Time_zone_id, Transition_time, Transition_type_id)
        VALUES (7, 1743296400, 1), (7, 1761440400, 0), (7, 1774746000, 1), (7, 1792890000, 0), (7, 1806195600, 1);
      """)
  }

  deinit { mark.killAll() }

  private func connect() throws -> DatabaseConnection {
    var settings = DatabaseSettings()
    settings.socket = server.socket
    settings.password = server.password
    let limit = Duration.seconds(5)
    let connection = DatabaseConnection(settings: settings, connectTimeout: limit, readTimeout: limit, writeTimeout: limit)
    try connection.connect()
    return connection
  }

  /// Calls the body in each zone, at each moment around both changes.
  private func eachMoment(_ body: (DatabaseConnection, _ now: Int, _ moment: String) throws -> Void) throws {
    for zone in ["SYSTEM", "Europe/Berlin", "+00:00"] {
      try server.query("SET GLOBAL time_zone = '\(zone)'")
      let connection = try connect()
      for change in Self.changes {
        for offset in Self.offsets {
          try connection.query("SET timestamp = \(change + offset)")
          try body(connection, change + offset, "\(zone), \(offset) s after \(change)")
        }
      }
    }
  }

  /// Devices whose last poll and discovery began so many seconds ago and took 20 s, by id.
  private func setDevices(_ connection: DatabaseConnection, _ now: Int, _ ages: [Int]) throws {
    try connection.query("DELETE FROM devices")
    for (index, age) in ages.enumerated() {
      try connection.query(
        """
        INSERT INTO devices (device_id, hostname, status_reason, poller_group, status, os, last_polled, last_polled_timetaken, last_discovered,
          last_discovered_timetaken)
        VALUES (\(index + 1), 'd\(index + 1)', '', 0, 1, 'linux', FROM_UNIXTIME(\(now - age + 20)), 20, FROM_UNIXTIME(\(now - age + 20)), 20)
        """)
    }
  }

  @Test func pollsAndDiscoveriesAreDueWhenTheirPeriodIsOver() throws {
    try eachMoment { connection, now, moment in
      // The contract's one second less than the period; and an hour less, which local times would confuse.
      try setDevices(connection, now, [30, 290, 298, 299, 300, 3700, 3900])
      let session = MariaDBSession(connection)
      let start = MonotonicTime(nanoseconds: 0)
      func due(_ question: DueQuestion, isEarly: Bool) throws -> [String] {
        try session.due(question, askedAt: start + .seconds(1000)).filter { $0.isEarly == isEarly }.map(\.payload).sorted()
      }
      let polls = DueQuestion.polls(period: .seconds(300), lookAhead: .seconds(1), groups: [0])
      #expect(try due(polls, isEarly: false) == ["4", "5", "6", "7"], "\(moment)")
      #expect(try due(polls, isEarly: true) == ["3"], "\(moment)")
      let discoveries = DueQuestion.discoveries(
        period: .seconds(300), lookAhead: .seconds(10), groups: [0], serviceStartedAt: start)
      #expect(try due(discoveries, isEarly: false) == ["4", "5", "6", "7"], "\(moment)")
    }
  }

  @Test func theCheckUnderTheLockAndTheJudgementOfAnUnseenEndHoldInTheHourThatComesTwice() throws {
    try eachMoment { connection, now, moment in
      try setDevices(connection, now, [100, 200, 3700])
      let session = MariaDBSession(connection)
      for time in [DeviceTime.polled, .discovered] {
        let fit = try ["1", "2", "3"].map { try session.fitness(.device(item($0), time: time, period: .seconds(300))) == .run }
        #expect(fit == [false, true, true], "\(moment) \(time)")
        // A script that began 90 s ago: the first device's time, 80 s old, has moved since, the others' have not.
        let ends = try ["1", "2", "3"].map { try session.ending(UnseenEndQuestion(item($0), time: time, age: .seconds(90))) }
        #expect(ends == [.unseenDone, .unseenLost, .unseenLost], "\(moment) \(time)")
      }
    }
  }

  private func suspecting(_ device: String) -> ClocksQuestion {
    ClocksQuestion(suspects: [.init(type: .poller, device: device, time: .polled)])
  }

  @Test func theDiagnosisSeesNoPollInTheFutureAndTheDevicesTrueAge() throws {
    try eachMoment { connection, now, moment in
      try setDevices(connection, now, [100, 3700, -200])
      let clocks = try MariaDBSession(connection).clocks(suspecting("2"))
      #expect(clocks.ahead == 1 && clocks.furthest == 220, "\(moment)")
      #expect(clocks.behind == [.poller: 3680], "\(moment)")
      #expect(!clocks.isReadOnly)
    }
  }

  /// `last_report` is a text in the server's own zone, as LibreNMS reads it. Two of them an hour apart are alike: only across the end of summer time
  /// itself, and only with the host's zone, an age is wrong, by an hour below zero.
  @Test func reportsAreWrittenInTheServersZoneAndTheirAgeIsTrue() throws {
    let report = NodeReport(settings(), isMaster: true, heartbeats: [:])
    let lastSeconds = Self.changes[0] - 100..<Self.changes[0]
    try eachMoment { connection, now, moment in
      try connection.query("DELETE FROM poller_cluster")
      _ = try MariaDBSession(connection).write(report)
      let local = try server.query("SET timestamp = \(now); SELECT last_report = NOW() FROM poller_cluster")
      #expect(local == [["1"]], "\(moment): as a session in the server's zone would write it")
      try connection.query("SET timestamp = \(now + 100)")
      let age = try connection.query("SELECT \(ServerZone.age("`last_report`")) FROM poller_cluster").first?[0].int
      #expect(age == (lastSeconds.contains(now) && moment.hasPrefix("SYSTEM") ? -3500 : 100), "\(moment)")
      let others = try MariaDBSession(connection).coverage(CoverageQuestion(nodeID: "another", period: .seconds(30))).others
      #expect(others.count == 1, "\(moment)")
    }
  }

  @Test func theServersZoneIsToldWhateverTheSessionHas() throws {
    try eachMoment { connection, now, moment in
      let isSummer = now >= Self.changes[1] && now < Self.changes[0]
      let expected = moment.hasPrefix("+00:00") ? 0 : isSummer ? 7200 : 3600
      let reading = try ClockReading.read(connection)
      #expect(reading?.databaseOffset == expected, "\(moment)")
    }
  }

  @Test func aReadOnlyServerIsSeenWhereDevicesStayDue() throws {
    let connection = try connect()
    try setDevices(connection, 1_750_000_000, [10])
    try server.query("SET GLOBAL read_only = 1")
    defer { _ = try? server.query("SET GLOBAL read_only = 0") }
    #expect(try MariaDBSession(connection).clocks(suspecting("1")).isReadOnly)
    #expect(try !MariaDBSession(connection).clocks(ClocksQuestion(suspects: [])).isReadOnly, "nobody suspects anything")
  }
}
