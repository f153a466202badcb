/// What went wrong between us and the database server. Never contains the password.
public struct DatabaseError: Error, Equatable, Sendable, CustomStringConvertible {
  public enum Kind: Sendable, Equatable {
    /// No connection could be made: no answer, a refused login, an untrusted certificate, no such database.
    case unreachable
    /// The connection is gone, or the server can't serve it now; the connection has been closed.
    case lost
    /// The server understood and said no: schema, permission, syntax, a dead-lock. The connection is fine.
    case statement
  }

  public var kind: Kind
  /// The error number of the server (1000 and up) or of libmariadb (2000 to 2999, 5000 to 5999); 0 = our own.
  public var number: UInt32
  public var text: String

  public init(kind: Kind, number: UInt32, text: String) {
    self.kind = kind
    self.number = number
    self.text = text
  }

  /// An outage to wait out: connect again later.
  public var isOutage: Bool { kind != .statement }

  /// A statement error that the same statement need not meet again.
  public var isTransient: Bool {
    guard kind == .statement else { return false }
    switch number {
    // Lock wait time-out, dead-lock, "record has changed since last read", too many transactions at once.
    case 1205, 1213, 1020, 1637: return true
    // Interrupted: by KILL QUERY, by the statement's time limit (MariaDB, MySQL), because its lock was needed, by a changed table.
    case 1317, 1969, 3024, 1689, 1412: return true
    // No room for another thread or user right now. (1226, an allowance by the hour, lasts.)
    case 1040, 1135, 1203: return true
    default: return false
    }
  }

  /// The kind of fault, one word for all times that it happens: the error's number, and the system's own (errno), which libmariadb writes at
  /// the end of its texts.
  public var cause: String {
    switch number {
    case 0: text
    case 2000...2999, 5000...5999: "\(number) \(text.split { !("0"..."9").contains($0) }.last ?? "")"
    default: String(number)
    }
  }

  public var description: String { number == 0 ? text : "\(text) (error \(number))" }

  /// Sorts an error that a statement met by its number.
  ///
  /// Sources: MariaDB's errmsg.h (client) and mysqld_error.h (server).
  static func ofStatement(number: UInt32, text: String) -> DatabaseError {
    let lost: Bool =
      switch number {
      // Shutdown, aborted and timed-out connections, killed, Galera node without quorum (1047), idle too long on MySQL (4031).
      case 1047, 1053, 1152, 1153, 1154, 1155, 1156, 1157, 1158, 1159, 1160, 1161, 1184, 1927, 3169, 4031: true
      // What the library says of misuse, not of the connection: parameters not bound, no metadata and so on.
      case 2030, 2031, 2034, 2035, 2036, 2051, 2052, 2053, 2054, 2057: false
      case 2000...2999, 5000...5999: true
      default: false
      }
    return DatabaseError(kind: lost ? .lost : .statement, number: number, text: text)
  }
}
