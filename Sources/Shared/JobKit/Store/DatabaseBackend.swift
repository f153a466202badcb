import Core
import Database

/// What carries out the questions of a `DatabaseClient`: a thread with a connection to MariaDB, or a simulation.
///
/// It answers every request with one reply, in their order, and tells with a reply when the connection comes or goes.
public protocol DatabaseBackend: AnyObject {
  func add(_ request: DatabaseRequest)
  func change(_ settings: DatabaseSettings)
}

/// One question on its way to a backend.
public struct DatabaseRequest: Sendable {
  public var number: UInt64
  /// It may be run once more when it is not known how far it came.
  public var mayRepeat: Bool
  public var run: @Sendable (any DatabaseSession) throws(DatabaseError) -> any Sendable
  /// How often a new connection, or another try, may still be its remedy; without an end, a server that ends every connection would be
  /// asked without a pause.
  public var remedies = 2
}

/// What a backend has to say.
public struct DatabaseReply: Sendable {
  public enum Change: Sendable {
    case up(server: String)
    case down(DatabaseError)
  }

  /// Of the request; 0 = no answer, only a change or a count of statements.
  public var number: UInt64
  public var result: Result<any Sendable, DatabaseError>
  /// Set when the connection came or went with this reply.
  public var change: Change?
  /// Statements that it took.
  public var statements: UInt64

  public init(number: UInt64, result: Result<any Sendable, DatabaseError>, change: Change? = nil, statements: UInt64 = 0) {
    self.number = number
    self.result = result
    self.change = change
    self.statements = statements
  }
}
