import Core
import Database
import Glibc

/// Reads all sources until there is a configuration that can be trusted, or none that ever could be.
///
/// The database is asked before and after the dump on one connection: a dump that LibreNMS made without its database is made of defaults.
final class Resolution {
  private let base: String
  private let flags: RunFlags
  private let dumpLimit: Duration
  private let port: ReportPort
  private let report: (ResolverReport) -> Void
  private let environmentEntries = ScriptEnvironment.current()
  private let tree: LibreNMSTree
  private var lastReason = ""
  /// `db_*` keys of an earlier dump; they are how an old installation says where its database is.
  private var databaseKeys: [String: JSONValue] = [:]
  private var moves = 0

  /// Connecting again this often brings the work back within two seconds of the server's return.
  private static let retry = 1.0...1.5
  /// A server that takes longer to greet is retried: a lost first packet would be repeated by the kernel later than by us.
  private static let connectTimeout = Duration.seconds(3)
  private static let queryTimeout = Duration.seconds(10)

  /// `report` gets every change of the waiting reason.
  init(base: String, flags: RunFlags, dumpLimit: Duration, port: ReportPort, report: @escaping (ResolverReport) -> Void) {
    self.base = base
    self.flags = flags
    self.dumpLimit = dumpLimit
    self.port = port
    self.report = report
    tree = LibreNMSTree(base: base)
  }

  /// Waits as long as it takes; the answer is `resolved` or `refused`.
  func run() -> ResolverReport {
    var backOff = BackOff()
    while true {
      do throws(Obstacle) {
        return try attempt()
      } catch {
        switch error {
        case .refused(let refusal): return .refused(exitCode: refusal.exitCode, message: refusal.message)
        case .databaseAway(let reason):
          wait(reason, .seconds(Double.random(in: Self.retry)))
          backOff.reset()
        case .unusable(let reason): wait(reason, backOff.wait())
        case .moved: continue
        }
      }
    }
  }

  /// Why an attempt gave no configuration.
  enum Obstacle: Error {
    case refused(Refusal)
    case databaseAway(String)
    /// A dump or a table that is not what it should be: worth trying again, but not every second.
    case unusable(String)
    /// The dump named another database than the one that was asked: ask that one.
    case moved
  }

  /// Everything is read anew in each attempt, so that a corrected file ends the wait.
  private func attempt() throws(Obstacle) -> ResolverReport {
    var sources = try readFiles()
    let settings = try databaseSettings(sources)
    let connection = DatabaseConnection(
      settings: settings, connectTimeout: Self.connectTimeout, readTimeout: Self.queryTimeout, writeTimeout: Self.queryTimeout)
    defer { connection.close() }
    do throws(DatabaseError) {
      try connection.connect()
      // Before the dump, and not only "connected": a server may greet and be of no use.
      try row(connection, sources)
    } catch {
      if error.kind == .unreachable { try lookForDatabaseInDump(sources) }
      throw obstacle(error, settings, sources)
    }
    sources.dump = try dump(sources)
    do throws(DatabaseError) {
      sources.row = try row(connection, sources)
    } catch {
      throw obstacle(error, settings, sources)
    }
    sources.scripts = tree.scripts
    var resolver = ConfigResolver(sources)
    let resolved: Settings
    do throws(Refusal) { resolved = try resolver.resolve() } catch { throw .refused(error) }
    if resolved.database != settings {
      moves += 1
      guard moves < 4 else {
        moves = 0
        throw .unusable("the config dumps of two databases name each other; set DB_HOST and the other DB_ variables in \(base)/.env")
      }
      remember(sources.dump)
      throw .moved
    }
    return .resolved(settings: resolved, entries: resolver.entries, notes: resolver.notes)
  }

  private func readFiles() throws(Obstacle) -> ConfigSources {
    var sources = ConfigSources(base: base, hostName: hostName())
    sources.flags = flags
    sources.environment = environmentVariables(environmentEntries)
    do throws(SystemError) {
      sources.dotenv = try tree.dotenv(environment: sources.environment)
    } catch {
      throw .refused(
        Refusal(
          exitCode: 3,
          message:
            "\(base)/.env can't be read: \(error.reason). Is \(base) the LibreNMS directory (--base), and may this user read the file?"))
    }
    do throws(Refusal) {
      var resolver = ConfigResolver(sources)
      _ = try resolver.nodeID()
    } catch {
      throw .refused(error)
    }
    return sources
  }

  private func databaseSettings(_ sources: ConfigSources) throws(Obstacle) -> DatabaseSettings {
    var sources = sources
    sources.dump = databaseKeys
    do throws(Refusal) {
      var resolver = ConfigResolver(sources)
      return try resolver.database()
    } catch {
      throw .refused(error)
    }
  }

  /// The node's row; empty when it has none yet.
  @discardableResult
  private func row(_ connection: DatabaseConnection, _ sources: ConfigSources) throws(DatabaseError) -> [String: JSONValue] {
    var resolver = ConfigResolver(sources)
    let nodeID = (try? resolver.nodeID()) ?? ""
    // All columns, since older versions of the table lack some.
    guard let row = try connection.query("SELECT * FROM poller_cluster WHERE node_id = ?", [.text(nodeID)]).first else { return [:] }
    var values: [String: JSONValue] = [:]
    for (index, column) in row.columns.enumerated() where !row[index].isNull { values[column] = JSONValue(row[index]) }
    return values
  }

  private func dump(_ sources: ConfigSources) throws(Obstacle) -> [String: JSONValue] {
    let runner = DumpRunner(
      base: base, environment: ScriptEnvironment.forScripts(environmentEntries), limit: dumpLimit, port: port)
    do throws(DumpFailure) {
      return try ConfigDump.parse(runner.run())
    } catch {
      throw .unusable(Secrets(sources).masked(in: error.reason))
    }
  }

  /// An old installation names its database in `config.php` only. Without that sign no dump is made while the database is away: LibreNMS
  /// would keep the defaults it then prints for five minutes.
  private func lookForDatabaseInDump(_ sources: ConfigSources) throws(Obstacle) {
    guard databaseKeys.isEmpty, !ConfigResolver.namesDatabase(sources), tree.configurationFileNamesDatabase else { return }
    let found = try dump(sources)
    remember(found)
    if !databaseKeys.isEmpty { throw .moved }
  }

  private func remember(_ dump: [String: JSONValue]) {
    databaseKeys = dump.filter { $0.key.hasPrefix("db_") }
  }

  private func obstacle(_ error: DatabaseError, _ settings: DatabaseSettings, _ sources: ConfigSources) -> Obstacle {
    let server = settings.socket.isEmpty ? "\(settings.host):\(settings.port)" : settings.socket
    let text = Secrets(sources).masked(in: "\(error)")
    return error.isOutage ? .databaseAway("database \(server): \(text)") : .unusable("database \(server): \(text)")
  }

  private func wait(_ reason: String, _ duration: Duration) {
    if reason != lastReason { report(.waiting(reason: reason)) }
    lastReason = reason
    port.pause(duration)
  }
}

/// This machine's name, as Python's `socket.gethostname` gives it.
func hostName() -> String {
  var name = [CChar](repeating: 0, count: 256)
  guard gethostname(&name, 255) == 0 else { return "localhost" }
  return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

/// KEY=value entries by name.
func environmentVariables(_ entries: [String]) -> [String: String] {
  var variables: [String: String] = [:]
  for entry in entries {
    guard let sign = entry.firstIndex(of: "=") else { continue }
    variables[String(entry[..<sign])] = String(entry[entry.index(after: sign)...])
  }
  return variables
}
