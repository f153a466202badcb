import Core
import Database
import Glibc
import Logging
import MariaDBFixture
import Synchronization
import Testing

@testable import JobKit

/// What a child notices of its connection to the database, on a real server. One server for the suite.
@Suite(.serialized) struct DatabaseClientTests {
  static let server = Result { try MariaDBServer(arguments: ["--skip-ssl"]) }
  let scene: SQLScene
  let admin: DatabaseConnection

  init() throws {
    let server = try Self.server.get()
    admin = DatabaseConnection(
      settings: server.settings, connectTimeout: .seconds(3), readTimeout: .seconds(5), writeTimeout: .seconds(5))
    try admin.connect()
    try admin.query("SET GLOBAL wait_timeout = 28800")
    scene = try SQLScene(server.settings)
  }

  /// The id of the thread's connection.
  private func connection() throws -> Int64 {
    let row = try scene.run { connection throws(DatabaseError) in try connection.query("SELECT CONNECTION_ID()") }.get()
    return try #require(row.first?[0].int)
  }

  /// The connection is another one and nothing was said about it.
  private func expectReplaced(_ old: Int64) throws {
    let begin = MonotonicTime.now
    let new = try connection()
    #expect(new != old && MonotonicTime.now - begin < .milliseconds(500))
    #expect(scene.changes == [true] && scene.lines.all.count == 1, "\(scene.lines.all)")
  }

  @Test func aConnectionThatWasIdleForTooLongIsReplacedWithoutAWord() throws {
    try admin.query("SET GLOBAL wait_timeout = 1")
    // A session keeps the limit that it began with.
    try admin.query("KILL \(try connection())")
    for _ in 0..<2 {
      let old = try connection()
      scene.turn(for: .milliseconds(1700))
      try expectReplaced(old)
    }
  }

  @Test func aConnectionThatAnAdminKilledWhileIdleIsReplacedWithoutAWord() throws {
    let old = try connection()
    try admin.query("KILL \(old)")
    try expectReplaced(old)
  }

  @Test func aServerThatRestartsBetweenTwoStatementsWasNeverAway() throws {
    let server = try Self.server.get()
    let old = try connection()
    server.kill()
    try server.start()
    // A server that begins anew gives out the same numbers.
    let begin = MonotonicTime.now
    _ = try connection()
    #expect(old > 0 && MonotonicTime.now - begin < .milliseconds(500))
    #expect(scene.changes == [true] && scene.lines.all.count == 1, "\(scene.lines.all)")
  }

  /// Kills the connection in the middle of work, and returns how often the work was begun.
  private func interrupted(repeats: Bool) throws -> (result: Result<Int64, DatabaseError>, begun: Int) {
    let begun = Counter()
    let id = try connection()
    let answer = scene.submit(repeats: repeats) { connection throws(DatabaseError) -> Int64 in
      begun.add()
      _ = try connection.query("SELECT 1")
      if begun.value == 1 { try connection.query("SELECT SLEEP(5)") }
      return try connection.query("SELECT 7").first?[0].int ?? 0
    }
    scene.turn(for: .milliseconds(300))
    try admin.query("KILL CONNECTION \(id)")
    scene.turn { answer.value != nil }
    return (try #require(answer.value), begun.value)
  }

  @Test func workIsDoneAgainOnTheNextConnectionWhenItsOwnIsCut() throws {
    let (result, begun) = try interrupted(repeats: true)
    #expect(result == .success(7) && begun == 2)
    #expect(scene.changes == [true] && scene.lines.all.count == 1, "\(scene.lines.all)")
  }

  @Test func workThatMustNotBeDoneTwiceFailsAndTheServerIsNotAway() throws {
    let (result, begun) = try interrupted(repeats: false)
    guard case .failure(let error) = result else {
      Issue.record("\(result)")
      return
    }
    #expect(error.isOutage && begun == 1)
    _ = try connection()
    #expect(scene.changes == [true] && scene.lines.all.count == 1, "\(scene.lines.all)")
  }

  @Test func workThatCutsEachConnectionIsGivenUp() throws {
    let begun = Counter()
    let settings = try Self.server.get().settings
    let result: Result<Int, DatabaseError> = scene.run { connection throws(DatabaseError) in
      begun.add()
      let own = try connection.query("SELECT CONNECTION_ID()").first?[0].int ?? 0
      let other = DatabaseConnection(settings: settings, connectTimeout: .seconds(3), readTimeout: .seconds(5), writeTimeout: .seconds(5))
      try other.connect()
      try other.query("KILL CONNECTION \(own)")
      try connection.query("SELECT 1")
      return 1
    }
    #expect((try? result.get()) == nil && (2...3).contains(begun.value))
    // Whoever takes work that ends connections has an outage, with a pause before the next try.
    #expect(scene.changes == [true, false])
    #expect(scene.turn { scene.client.isUp == true })
  }

  @Test(arguments: [1205, 1213, 1317, 1020, 1969, 1412, 1689]) func aStatementThatWasInterruptedIsRunAgain(_ number: Int) throws {
    let begun = Counter()
    let result: Result<Int64, DatabaseError> = scene.run { connection throws(DatabaseError) in
      begun.add()
      if begun.value == 1 { try connection.query("SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = \(number)") }
      return try connection.query("SELECT 7").first?[0].int ?? 0
    }
    #expect(result == .success(7) && begun.value == 2, "\(result)")
    #expect(scene.lines.all.count == 1, "\(scene.lines.all)")
  }

  @Test(arguments: [1142, 1054, 1064, 1290, 1226]) func anErrorThatLastsIsToldAtOnce(_ number: Int) throws {
    let begun = Counter()
    let result: Result<Int64, DatabaseError> = scene.run { connection throws(DatabaseError) in
      begun.add()
      try connection.query("SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = \(number)")
      return 7
    }
    guard case .failure(let error) = result else {
      Issue.record("\(result)")
      return
    }
    #expect(error.number == UInt32(number) && !error.isTransient && !error.isOutage && begun.value == 1)
  }
}

/// A client of a real server, with a loop that the test turns.
final class SQLScene {
  let loop: EventLoop
  typealias Work<Value> = @Sendable (DatabaseConnection) throws(DatabaseError) -> Value

  let client: DatabaseClient
  let lines = LogLines()
  private(set) var changes: [Bool] = []

  final class Answer<Value> {
    var value: Result<Value, DatabaseError>?
  }

  /// Waits until it is connected.
  init(_ settings: DatabaseSettings) throws {
    loop = try EventLoop()
    let lines = lines
    client = try DatabaseClient.mariaDB(settings, loop: loop, log: Logger(label: "test") { _ in lines })
    client.onChange = { [weak self] in self?.changes.append($0) }
    #expect(turn { client.isUp == true })
  }

  @discardableResult
  func turn(until limit: Duration = .seconds(8), _ condition: () -> Bool) -> Bool {
    let end = MonotonicTime.now + limit
    while !condition() {
      if MonotonicTime.now >= end { return false }
      do { try loop.turn(limit: .milliseconds(5)) } catch { return false }
    }
    return true
  }

  func turn(for time: Duration) { turn(until: time) { false } }

  func submit<Value: Sendable>(repeats: Bool = true, _ work: @escaping Work<Value>) -> Answer<Value> {
    let answer = Answer<Value>()
    client.submit(
      repeats: repeats,
      { session throws(DatabaseError) in
        guard let session = session as? MariaDBSession else { preconditionFailure("the client's server is a MariaDB") }
        return try work(session.connection)
      }, { answer.value = $0 })
    return answer
  }

  func run<Value: Sendable>(_ work: @escaping Work<Value>) -> Result<Value, DatabaseError> {
    let answer = submit(work)
    turn { answer.value != nil }
    return answer.value ?? .failure(DatabaseError(kind: .unreachable, number: 0, text: "no answer"))
  }
}

/// Counts on any thread.
final class Counter: Sendable {
  private let count = Mutex(0)
  var value: Int { count.withLock { $0 } }
  func add() { count.withLock { $0 += 1 } }
}
