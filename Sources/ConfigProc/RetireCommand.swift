import ArgumentParser
import Core
import Database
import Glibc

/// What `librenms-dispatcher retire` runs, once it has seen that no service of this installation would write the rows again.
struct RetireCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "retire", abstract: "Remove this node's own rows from poller_cluster and poller_cluster_stats.")

  @OptionGroup var options: SourceOptions

  func run() throws {
    let port = ReportPort(descriptor: 1)
    do throws(Refusal) {
      port.write(Array((try NodeRetirement(reader: options.reader(port)).run() + "\n").utf8))
    } catch {
      printError("librenms-configd: \(error.message)")
      throw ExitCode(error.exitCode)
    }
  }
}

/// Takes a node out of the cluster's tables: what it has reported about itself, and what an admin has set for it.
struct NodeRetirement {
  /// In seconds: a living node of this program reports every 30.
  private static let silence: Int64 = 35

  let reader: SourceReader

  /// What was done, in one line. Throws with exit code 1 when the database does not let it, and as every command when `.env` is no good.
  func run() throws(Refusal) -> String {
    let sources = try reader.files()
    let connection = try connect(sources)
    defer { connection.close() }
    do throws(DatabaseError) {
      return try remove(reader.nodeID(sources), connection)
    } catch {
      throw Refusal(exitCode: 1, message: "nothing was removed: \(Secrets(sources).masked(in: "\(error)"))")
    }
  }

  private func remove(_ nodeID: String, _ connection: DatabaseConnection) throws(DatabaseError) -> String {
    let nothing = "there is nothing to remove: poller_cluster has no row with NODE_ID \(nodeID)"
    let found = try connection.query("SELECT `id`, `poller_name` FROM `poller_cluster` WHERE `node_id` = ?", [.text(nodeID)]).first
    guard let found, let id = found[0].int else { return nothing }
    try expectSilence(nodeID, connection)
    let figures = try connection.query("SELECT COUNT(*) FROM `poller_cluster_stats` WHERE `parent_poller` = ?", [.int(id)]).first?[0].int
    // One statement, so that there is never a half: figures without their node would stay for ever.
    try connection.query(
      """
      DELETE `poller_cluster`, `poller_cluster_stats` FROM `poller_cluster`
      LEFT JOIN `poller_cluster_stats` ON `poller_cluster_stats`.`parent_poller` = `poller_cluster`.`id`
      WHERE `poller_cluster`.`node_id` = ?
      """, [.text(nodeID)])
    return """
      removed \(found[1].text ?? "") (NODE_ID \(nodeID)): its row in poller_cluster, with the settings that were made for it in the web UI, \
      and \(figures ?? 0) in poller_cluster_stats. A service that is started here again adds itself anew
      """
  }

  /// A copied `.env`, or a container: another service may report under this id, unseen from here. Its report comes every 30 s.
  private func expectSilence(_ nodeID: String, _ connection: DatabaseConnection) throws(DatabaseError) {
    let sql = "SELECT `last_report`, \(ServerZone.age("`last_report`")) FROM `poller_cluster` WHERE `node_id` = ?"
    var first: String?
    while let row = try connection.query(sql, [.text(nodeID)]).first, let age = row[1].int, age < Self.silence, age > -Self.silence {
      let time = row[0].text ?? ""
      if let first, first != time {
        throw DatabaseError(
          kind: .statement, number: 0,
          text: "a service that runs somewhere else has just reported as NODE_ID \(nodeID). Stop it first, or was .env copied from there?")
      }
      if first == nil {
        reader.port.write(
          Array("waiting up to \(Self.silence - age) s, to see whether another service reports as NODE_ID \(nodeID)\n".utf8))
      }
      first = time
      reader.port.pause(.seconds(1))
    }
  }

  /// Like `Resolution`, but without waiting: somebody sits in front of it.
  private func connect(_ sources: ConfigSources) throws(Refusal) -> DatabaseConnection {
    let settings = try reader.databaseSettings(sources)
    let connection = SourceReader.connection(settings)
    do throws(DatabaseError) {
      try connection.connect()
      return connection
    } catch {
      guard let other = try namedInDump(sources), other != settings else { throw away(error, settings, sources) }
      let connection = SourceReader.connection(other)
      do throws(DatabaseError) { try connection.connect() } catch { throw away(error, other, sources) }
      return connection
    }
  }

  /// An old installation names its database in `config.php` only.
  private func namedInDump(_ sources: ConfigSources) throws(Refusal) -> DatabaseSettings? {
    guard !ConfigResolver.namesDatabase(sources), reader.tree.configurationFileNamesDatabase else { return nil }
    do throws(DumpFailure) {
      let dump = try reader.dump(sources).filter { $0.key.hasPrefix("db_") }
      return try? reader.databaseSettings(sources, dump: dump)
    } catch {
      throw Refusal(exitCode: 1, message: "nothing was removed: \(error.reason)")
    }
  }

  private func away(_ error: DatabaseError, _ settings: DatabaseSettings, _ sources: ConfigSources) -> Refusal {
    Refusal(
      exitCode: 1,
      message: """
        nothing was removed, the database \(settings.address) does not answer: \(Secrets(sources).masked(in: "\(error)")). Try again when it \
        does, or check the DB_ variables in \(reader.base)/.env
        """)
  }
}
