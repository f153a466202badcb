import Core
import Database
import Glibc
import MariaDBFixture
import Testing

/// One server for the suite: laying out a data directory takes seconds.
@Suite(.serialized) final class ConnectionTests {
  static let server = Result { try MariaDBServer(arguments: ["--skip-ssl"]) }
  let server: MariaDBServer

  init() throws { server = try Self.server.get() }

  func open(_ change: (inout DatabaseSettings) -> Void = { _ in }, read: Duration = .seconds(5)) throws -> DatabaseConnection {
    var settings = server.settings
    change(&settings)
    let connection = DatabaseConnection(settings: settings, connectTimeout: .seconds(3), readTimeout: read, writeTimeout: .seconds(5))
    try connection.connect()
    return connection
  }

  @Test func localhostMeansTCPAndANamedSocketIsUsed() throws {
    let tcp = try open().query("SELECT host FROM information_schema.processlist WHERE id = CONNECTION_ID()")
    #expect(tcp[0][0].text?.contains(":") == true)
    let local = try open {
      $0.socket = self.server.socket
      $0.port = 1
    }.query("SELECT host FROM information_schema.processlist WHERE id = CONNECTION_ID()")
    #expect(local[0][0] == "localhost")
  }

  @Test func theCauseOfAFailureTellsAClosedPortFromARefusedLogin() throws {
    func cause(_ change: (inout DatabaseSettings) -> Void) throws -> String? {
      do { _ = try open(change) } catch let error as DatabaseError { return error.cause }
      return nil
    }
    let closed = try (cause { $0.port = 1 }, cause { $0.port = 2 })
    #expect(closed.0?.hasPrefix("2002 ") == true && closed.0 == closed.1, "\(closed)")
    let login = try (cause { $0.password = "wrong" }, cause { $0.user = "nobody" })
    #expect(login.0 == "1045" && login.0 == login.1)
  }

  @Test func theSessionIsSetUp() throws {
    let row = try open().query(
      "SELECT @@autocommit, @@character_set_client, @@character_set_results, @@wsrep_sync_wait, @@time_zone, DATABASE()")[0]
    #expect(row[0] == 1)
    #expect(row[1] == "utf8mb4")
    #expect(row[2] == "utf8mb4")
    #expect(row[3] == 1)
    #expect(row[4] == "+00:00", "no time comes twice")
    #expect(row[5] == "librenms")
  }

  @Test func everyTypeArrivesAsWhatItIs() throws {
    let connection = try open()
    let row = try connection.query(
      """
      SELECT 1, -5, 18446744073709551615, 1.5e0, CAST(7 AS DECIMAL(20,0)), 2.25, NULL, 'zwölf 🐟', CAST('2024-02-03 04:05:06' AS DATETIME),
        b'101', REPEAT('x', 100000), SUM(3), CAST(1.5 AS FLOAT), '', TRUE
      """)[0]
    let expected: [SQLValue] = [
      1, -5, "18446744073709551615", 1.5, 7, 2.25, nil, "zwölf 🐟", "2024-02-03 04:05:06", 5, .text(String(repeating: "x", count: 100000)),
      3, 1.5, "", 1,
    ]
    for (column, value) in expected.enumerated() where column != 9 { #expect(row[column] == value, "column \(column)") }
    #expect(row.count == expected.count)
  }

  @Test func cellsOfEveryLengthComeBackWhole() throws {
    let connection = try open()
    let lengths = [1, 255, 256, 257, 5000, 3, 70000, 0, 300_000, 256]
    let sql = lengths.map { "SELECT REPEAT('a', \($0)), \($0), REPEAT('ü', \($0)), NULLIF(REPEAT('c', \($0)), '')" }.joined(
      separator: " UNION ALL ")
    for _ in 0..<2 {
      let rows = try connection.query(sql)
      #expect(rows.count == lengths.count)
      for (row, length) in zip(rows, lengths) {
        #expect(row[0] == .text(String(repeating: "a", count: length)))
        #expect(row[1].int == Int64(length))
        #expect(row[2] == .text(String(repeating: "ü", count: length)))
        #expect(row[3] == (length == 0 ? .null : .text(String(repeating: "c", count: length))))
      }
    }
  }

  @Test func parametersOfEveryKindComeBack() throws {
    let connection = try open()
    let values: [SQLValue] = [nil, 42, .int(.min), .int(.max), 0.1, "", "o'brien \\ \" ; --", "🐟"]
    let row = try connection.query("SELECT ?, ?, ?, ?, ?, ?, ?, ?", values)[0]
    for (column, value) in values.enumerated() { #expect(row[column] == value, "column \(column)") }
    #expect(throws: DatabaseError.self) { try connection.query("SELECT ?", []) }
    #expect(connection.isConnected)
  }

  @Test func rowsAreFoundByNameAndChangesAreCounted() throws {
    let connection = try open()
    try connection.query("CREATE OR REPLACE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, word VARCHAR(20) NOT NULL)")
    try connection.query("INSERT INTO t (word) VALUES (?), (?)", ["one", "two"])
    #expect(connection.affectedRows == 2)
    #expect(connection.insertID == 1)
    try connection.query("UPDATE t SET word = 'two'")
    #expect(connection.affectedRows == 1)
    let rows = try connection.query("SELECT id, word FROM t ORDER BY id")
    #expect(rows.map { $0["id"] } == [1, 2])
    #expect(rows[1]["word"] == "two")
    #expect(rows[0]["nothing"] == nil)
    #expect(try connection.query("SELECT id FROM t WHERE id > 5").isEmpty)
  }

  @Test func aStatementSurvivesAChangeOfItsTable() throws {
    let connection = try open()
    try connection.query("CREATE OR REPLACE TABLE t (a INT)")
    try connection.query("INSERT INTO t VALUES (7)")
    #expect(try connection.query("SELECT * FROM t")[0][0] == 7)
    try connection.query("ALTER TABLE t MODIFY a VARCHAR(400), ADD b DOUBLE DEFAULT 2.5")
    try connection.query("UPDATE t SET a = REPEAT('y', 400)")
    let row = try connection.query("SELECT * FROM t")[0]
    #expect(row.count == 2)
    #expect(row[0].text?.count == 400)
    #expect(row["b"] == 2.5)
    try connection.query("ALTER TABLE t DROP a")
    #expect(try connection.query("SELECT * FROM t")[0].columns == ["b"])
  }

  @Test func manyTextsDoNotFillTheServersMemory() throws {
    let connection = try open()
    #expect(try connection.query("SELECT 3")[0][0] == 3)
    // Many texts push the first one out of the cache; it has to work all the same.
    for number in 0..<200 { #expect(try connection.query("SELECT \(number)")[0][0].int == Int64(number)) }
    #expect(try connection.query("SELECT 3")[0][0] == 3)
    #expect(try open().query("SHOW STATUS LIKE 'Prepared_stmt_count'")[0][1].int ?? 999 < 150)
  }

  @Test func aRefusedStatementLeavesTheConnectionUsable() throws {
    let connection = try open()
    for (sql, number) in [("SELECT * FROM nowhere", 1146), ("SELEKT", 1064), ("SELECT missing FROM information_schema.tables", 1054)] {
      let error = #expect(throws: DatabaseError.self) { try connection.query(sql) }
      #expect(error?.kind == .statement)
      #expect(error?.number == UInt32(number))
    }
    #expect(try connection.query("SELECT 1")[0][0] == 1)
  }

  @Test func aKilledConnectionIsLostAndCanBeMadeAgain() throws {
    let connection = try open()
    let id = try connection.query("SELECT CONNECTION_ID()")[0][0]
    try open().query("KILL ?", [id])
    let error = #expect(throws: DatabaseError.self) { try connection.query("SELECT CONNECTION_ID()") }
    #expect(error?.kind == .lost)
    #expect(!connection.isConnected)
    #expect(throws: DatabaseError.self) { try connection.query("SELECT 1") }
    try connection.connect()
    #expect(try connection.query("SELECT CONNECTION_ID()")[0][0] != id)
  }

  @Test func aSilentServerIsLostAfterTheReadLimit() throws {
    let connection = try open(read: .seconds(1))
    let error = #expect(throws: DatabaseError.self) { try connection.query("SELECT SLEEP(20)") }
    #expect(error?.kind == .lost)
  }

  @Test func refusedLoginsAreUnreachableAndKeepThePassword() throws {
    for change: (inout DatabaseSettings) -> Void in [
      { $0.password = "not-the-password" }, { $0.user = "nobody" }, { $0.name = "no_such_database" }, { $0.port = 1 },
      { $0.socket = "/nowhere/sock" }, { $0.host = "name.invalid" },
    ] {
      let error = #expect(throws: DatabaseError.self) { _ = try self.open(change) }
      #expect(error?.kind == .unreachable)
      #expect(error?.isOutage == true)
      #expect(error?.description.contains("not-the-password") == false)
      #expect(error?.description.contains(MariaDBServer.password) == false)
    }
  }

  @Test func aServerWithoutTLSIsRefusedWhenTLSIsWanted() throws {
    for mode in [DatabaseTLS.verifyCA, .verifyIdentity] {
      let error = #expect(throws: DatabaseError.self) { _ = try self.open { $0.tls = mode } }
      #expect(error?.kind == .unreachable)
    }
  }

  @Test func aServerThatWentAwayIsLostAndComesBack() throws {
    let connection = try open()
    try connection.query("SELECT 1")
    server.kill()
    let lost = #expect(throws: DatabaseError.self) { try connection.query("SELECT 1") }
    #expect(lost?.kind == .lost)
    let away = #expect(throws: DatabaseError.self) { try connection.connect() }
    #expect(away?.kind == .unreachable)
    try server.start()
    try connection.connect()
    #expect(try connection.query("SELECT 1")[0][0] == 1)
  }

  @Test func fiftyThousandRowsAreReadFast() throws {
    let connection = try open()
    let clock = ContinuousClock()
    var rows: [SQLRow] = []
    let sql = "SELECT seq, seq % 7, seq * 1.5e0, IF(seq % 2, NULL, 'text') FROM seq_1_to_50000"
    let taken = try clock.measure { rows = try connection.query(sql) }
    #expect(rows.count == 50000)
    #expect(rows[49999][0] == 50000)
    #expect(rows[49999][1] == 6)
    #expect(rows[49999][2] == 75000.0)
    #expect(rows[49998][3] == SQLValue.null)
    #expect(taken < .seconds(2))
  }
}
