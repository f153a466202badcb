import Core
import Database
import Glibc

/// Asks the database what a dispatcher needs of it.
struct DatabaseChecks {
  var connection: DatabaseConnection
  /// PHP's offset from UTC in seconds, if it could be asked.
  var phpOffset: Int?

  static func unreachable(_ error: DatabaseError, _ settings: DatabaseSettings) -> Check {
    let wayOut =
      switch error.number {
      case 1044, 1045, 1698: "check DB_USERNAME and DB_PASSWORD, and that this host may log in as that user"
      case 1049: "check DB_DATABASE"
      case 2005: "check DB_HOST"
      case 2026: "check DB_SSLMODE and MYSQL_ATTR_SSL_CA against the server's certificate"
      default: "start the database, or check DB_HOST, DB_PORT and DB_SOCKET in .env"
      }
    return .fail("database", "\(settings.address) can't be used: \(error)", wayOut)
  }

  func checks() -> [Check] {
    var checks: [Check] = []
    do throws(DatabaseError) {
      let rows = try connection.query(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = DATABASE()")
      let schema = SchemaComparison.checks(Set(rows.compactMap { row in row[0].text.flatMap { t in row[1].text.map { "\(t).\($0)" } } }))
      checks += schema
      if !schema.contains(where: { $0.outcome == .fail }) { checks.append(permission()) }
      checks += try clocks()
    } catch {
      checks.append(.fail("database", "\(error)", "check the user's rights on the database"))
    }
    return checks
  }

  /// Statements that change nothing and need the rights that the node's report needs.
  private func permission() -> Check {
    let statements = [
      "UPDATE poller_cluster SET last_report = NOW(), master = 0 WHERE 1 = 0",
      "INSERT INTO poller_cluster (node_id, poller_name, poller_version, poller_groups, last_report, master) "
        + "SELECT node_id, poller_name, poller_version, poller_groups, last_report, master FROM poller_cluster WHERE 1 = 0",
      "INSERT INTO poller_cluster_stats (parent_poller, poller_type, depth, devices, worker_seconds, workers, frequency) "
        + "SELECT parent_poller, poller_type, depth, devices, worker_seconds, workers, frequency FROM poller_cluster_stats WHERE 1 = 0",
    ]
    do throws(DatabaseError) {
      for statement in statements { try connection.query(statement) }
      return .ok("database", "the tables of the cluster may be written")
    } catch {
      // 1290, 1836: the server takes no writes at all, whatever rights the user has.
      let wayOut =
        [1290, 1836].contains(error.number)
        ? "let DB_HOST name the server that takes writes, or SET GLOBAL read_only = 0 there if it is that one"
        : "GRANT the user all rights on its database"
      return .fail("database", "the tables of the cluster can't be written: \(error)", wayOut)
    }
  }

  private func clocks() throws(DatabaseError) -> [Check] {
    guard let reading = try ClockReading.read(connection) else { return [] }
    return ClockComparison(
      skew: reading.skew, databaseOffset: reading.databaseOffset, hostOffset: reading.hostOffset, phpOffset: phpOffset
    ).checks
  }
}
