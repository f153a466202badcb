import Core
import Database
import Logging

/// A connection to MariaDB or MySQL that answers the questions of a node. Lives on the SQL thread; all SQL of the children is here.
///
/// It remembers for seconds what is dear to ask and hardly changes, as long as the connection stands.
final class MariaDBSession: DatabaseSession {
  let connection: DatabaseConnection
  /// The longest time taken of all polls, and until when it counts.
  var longestPoll: (seconds: Double, until: MonotonicTime)?
  /// The smallest period of all nodes; nil = no node has one of its own.
  var smallestPeriods: [DeviceTime: (seconds: Double?, until: MonotonicTime)] = [:]

  init(_ connection: DatabaseConnection) { self.connection = connection }

  func fingerprint(_ question: FingerprintQuestion) throws(DatabaseError) -> String {
    try SourceFingerprint.read(connection, base: question.base, nodeID: question.nodeID)
  }

  /// A condition on `poller_group`; nil = all groups.
  static func condition(_ groups: [Int]?) -> String {
    groups.map { "`poller_group` IN (\($0.map(String.init).joined(separator: ",")))" } ?? "TRUE"
  }
}

extension DatabaseClient {
  /// LibreNMS's database, behind the one thread of a child that may wait for it.
  public static func mariaDB(_ settings: DatabaseSettings, loop: EventLoop, log: Logger) throws -> DatabaseClient {
    let mailbox = try Mailbox<DatabaseReply>()
    return try DatabaseClient(loop: loop, log: log) { client in
      let worker = SQLWorker(settings: settings) { mailbox.send($0) }
      try mailbox.deliver(on: loop) { [weak client] in client?.receive($0) }
      try SystemError.check(worker.start(), "start the SQL thread")
      return worker
    }
  }
}
