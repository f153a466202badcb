import CMariaDB
import Core

/// One blocking connection to MariaDB or MySQL, for use from one thread.
///
/// Nothing reconnects by itself: after an outage `isConnected` is false and the owner decides when to call `connect()` again.
/// Statements are prepared on the server once per text and connection. The session's time zone is UTC, in which no time comes twice;
/// `ServerZone` is for what LibreNMS keeps in the server's own.
public final class DatabaseConnection {
  public let settings: DatabaseSettings
  /// Rows that the last statement changed, and the id that it gave out (0 = none). A row that an UPDATE found but did not change doesn't count.
  public private(set) var affectedRows = 0
  /// Statements that were run since this object was made.
  public private(set) var statementCount: UInt64 = 0
  public private(set) var insertID: UInt64 = 0

  private let connectTimeout: Duration
  private let readTimeout: Duration
  private let writeTimeout: Duration
  private var handle: OpaquePointer?
  private var statements: [String: OpaquePointer] = [:]

  /// A process has a handful of statements; more than this means texts with values in them, and the server's memory is not ours to fill.
  private static let statementLimit = 64

  /// Time-outs are rounded up to whole seconds, at least one: libmariadb knows no finer unit. The read time-out limits the silence while a
  /// statement runs, not its whole run time. Looking up the host name is not under any of them.
  public init(settings: DatabaseSettings, connectTimeout: Duration, readTimeout: Duration, writeTimeout: Duration) {
    self.settings = settings
    self.connectTimeout = connectTimeout
    self.readTimeout = readTimeout
    self.writeTimeout = writeTimeout
  }

  deinit { close() }

  public var isConnected: Bool { handle != nil }

  /// The server's end of the connection is closed: after its wait_timeout, by an admin, at its stop. Costs no question to the server.
  public var isEndedByServer: Bool { handle.map { cmariadb_is_ended($0) != 0 } ?? false }

  /// The server's version as it tells it; nil while not connected.
  public var serverVersion: String? { handle.map { String(cString: cmariadb_server_version($0)) } }

  /// The TLS cipher in use; nil = not connected or not encrypted.
  public var cipher: String? { handle.flatMap { cmariadb_cipher($0) }.map { String(cString: $0) } }

  /// Connects, dropping an older connection. Every failure is an outage of kind `unreachable`.
  public func connect() throws(DatabaseError) {
    close()
    var error = cmariadb_error()
    handle = settings.withCOptions(connect: connectTimeout, read: readTimeout, write: writeTimeout) { cmariadb_connect($0, &error) }
    guard handle != nil else {
      throw DatabaseError(kind: .unreachable, number: error.number, text: error.message)
    }
    do throws(DatabaseError) {
      try query("SET SESSION time_zone = '+00:00'")
    } catch {
      close()
      throw DatabaseError(kind: .unreachable, number: error.number, text: "SET SESSION time_zone is refused: \(error.text)")
    }
    do throws(DatabaseError) {
      // Galera: read what any node has committed. A server that doesn't know the variable says 1193 and is no cluster.
      try query("SET SESSION wsrep_sync_wait = 1")
    } catch {
      if error.kind == .statement { return }
      close()
      throw DatabaseError(kind: .unreachable, number: error.number, text: error.text)
    }
  }

  /// Ends the connection and forgets its statements. Does nothing when there is none.
  public func close() {
    for statement in statements.values { cmariadb_close(statement) }
    statements = [:]
    if let handle { cmariadb_disconnect(handle) }
    handle = nil
  }

  /// Runs one statement and returns its rows; none for a statement without a result.
  ///
  /// On an error of kind `lost` the connection is closed.
  @discardableResult
  public func query(_ sql: String, _ parameters: [SQLValue] = []) throws(DatabaseError) -> [SQLRow] {
    do throws(DatabaseError) {
      return try run(sql, parameters)
    } catch {
      // Unknown statement (the server dropped it), "needs to be prepared again", and a result with another number of columns than last
      // time (2057, which only a statement that returns rows can meet): all are cured by preparing, once.
      guard [1243, 1615, 2057].contains(error.number) else { throw error }
      forget(sql)
      return try run(sql, parameters)
    }
  }

  private func run(_ sql: String, _ parameters: [SQLValue]) throws(DatabaseError) -> [SQLRow] {
    statementCount += 1
    let statement = try prepared(sql)
    let expected = Int(cmariadb_parameter_count(statement))
    guard parameters.count == expected else {
      throw DatabaseError(kind: .statement, number: 0, text: "the statement wants \(expected) parameters and got \(parameters.count)")
    }
    var error = cmariadb_error()
    let sent = SQLParameters(parameters).withCValues { cmariadb_execute(statement, $0, expected, &error) }
    guard sent == 0 else { throw failed(error) }
    affectedRows = Int(clamping: cmariadb_affected_rows(statement))
    insertID = cmariadb_insert_id(statement)
    let width = Int(cmariadb_column_count(statement))
    guard width > 0 else { return [] }
    let names = (0..<width).map { String(cString: cmariadb_column_name(statement, UInt32($0))) }
    var values: [SQLValue] = []
    var state = cmariadb_fetch(statement, &error)
    while state > 0 {
      let row = cmariadb_row(statement)
      for column in 0..<width { values.append(SQLValue(row[column])) }
      state = cmariadb_fetch(statement, &error)
    }
    cmariadb_finish(statement)
    guard state == 0 else { throw failed(error) }
    return SQLCells(columns: names, values: values).rows
  }

  private func prepared(_ sql: String) throws(DatabaseError) -> OpaquePointer {
    guard let handle else { throw DatabaseError(kind: .lost, number: 0, text: "not connected to the database") }
    if let statement = statements[sql] { return statement }
    if statements.count >= Self.statementLimit {
      for statement in statements.values { cmariadb_close(statement) }
      statements = [:]
    }
    var error = cmariadb_error()
    var text = sql
    let statement = text.withUTF8 { bytes in
      bytes.withMemoryRebound(to: CChar.self) { characters in
        characters.baseAddress.flatMap { cmariadb_prepare(handle, $0, characters.count, &error) }
      }
    }
    guard let statement else { throw failed(error) }
    statements[sql] = statement
    return statement
  }

  private func forget(_ sql: String) {
    if let statement = statements.removeValue(forKey: sql) { cmariadb_close(statement) }
  }

  private func failed(_ error: cmariadb_error) -> DatabaseError {
    let failure = DatabaseError.ofStatement(number: error.number, text: error.message)
    if failure.kind == .lost { close() }
    return failure
  }
}
