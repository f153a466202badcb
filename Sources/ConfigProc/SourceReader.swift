import Core
import Database
import FoundationEssentials
import Glibc

/// Reads each source once; when to read which, and what a failure means, is decided by the caller.
struct SourceReader {
  let base: String
  let flags: RunFlags
  let dumpLimit: Duration
  let port: ReportPort
  let tree: LibreNMSTree
  private let environment = ScriptEnvironment.current()

  /// A server that takes longer to greet is retried: a lost first packet would be repeated by the kernel later than by us.
  private static let connectTimeout = Duration.seconds(3)
  private static let cacheLifetime = "CONFIG_CACHE_TTL="
  private static let queryTimeout = Duration.seconds(10)

  init(base: String, flags: RunFlags, dumpLimit: Duration, port: ReportPort) {
    self.base = base
    self.flags = flags
    self.dumpLimit = dumpLimit
    self.port = port
    tree = LibreNMSTree(base: base)
  }

  /// Environment and `.env`, with a NODE_ID in one of them.
  func files() throws(Refusal) -> ConfigSources {
    var sources = ConfigSources(base: base, hostName: Self.hostName())
    sources.flags = flags
    try refuseUnreadable(among: Self.isOurs)
    sources.environment = Self.variables(environment)
    sources.machine = .current()
    sources.dotenv = try tree.dotenv(environment: sources.environment)
    try refuseUnreadable(among: sources.dotenv.references.contains)
    var resolver = ConfigResolver(sources)
    _ = try resolver.nodeID()
    return sources
  }

  private func refuseUnreadable(among isMeant: (String) -> Bool) throws(Refusal) {
    // Any of them may hold what a password is made of.
    let unreadable = ScriptEnvironment.unreadable(in: environment, among: isMeant, mayShow: { Self.isOurs($0) && !$0.contains("PASSWORD") })
    if let unreadable { throw Refusal(exitCode: 2, message: unreadable) }
  }

  /// Where the database is; `dump` fills in what neither environment nor `.env` says.
  func databaseSettings(_ sources: ConfigSources, dump: [String: JSONValue] = [:]) throws(Refusal) -> DatabaseSettings {
    var sources = sources
    sources.dump = dump
    var resolver = ConfigResolver(sources)
    return try resolver.database()
  }

  static func connection(_ settings: DatabaseSettings) -> DatabaseConnection {
    DatabaseConnection(settings: settings, connectTimeout: connectTimeout, readTimeout: queryTimeout, writeTimeout: queryTimeout)
  }

  func nodeID(_ sources: ConfigSources) -> String {
    var resolver = ConfigResolver(sources)
    return (try? resolver.nodeID()) ?? ""
  }

  /// The node's row without its NULLs; empty when it has none yet.
  @discardableResult
  func row(_ connection: DatabaseConnection, _ sources: ConfigSources) throws(DatabaseError) -> [String: JSONValue] {
    let nodeID = nodeID(sources)
    // All columns, since older versions of the table lack some.
    guard let row = try connection.query("SELECT * FROM poller_cluster WHERE node_id = ?", [.text(nodeID)]).first else { return [:] }
    var values: [String: JSONValue] = [:]
    for (index, column) in row.columns.enumerated() where !row[index].isNull { values[column] = JSONValue(row[index]) }
    return values
  }

  /// The settings that LibreNMS keeps in the database, those whose value is JSON.
  func rows(_ connection: DatabaseConnection) throws(DatabaseError) -> [(name: String, value: JSONValue)] {
    try connection.query("SELECT `config_name`, `config_value` FROM `config`").compactMap { row in
      guard let name = row[0].text, let text = row[1].text,
        let value = try? JSONDecoder().decode(JSONValue.self, from: Data(text.utf8))
      else { return nil }
      return (name, value)
    }
  }

  /// Runs the dump and takes it if it is clean. It is LibreNMS's answer of now: with a lifetime of 0 it neither reads nor writes its file
  /// cache, in which a node finds settings for minutes that were changed on another one (its config/librenms.php).
  func dump(_ sources: ConfigSources) throws(DumpFailure) -> [String: JSONValue] {
    do throws(DumpFailure) {
      var runner = script(["php", base + "/lnms", "config:get", "--dump"], limit: dumpLimit)
      runner.environment = runner.environment.filter { !$0.hasPrefix(Self.cacheLifetime) } + [CText(Self.cacheLifetime + "0")]
      return try ConfigDump.parse(runner.run())
    } catch {
      throw DumpFailure(reason: Secrets(sources).masked(in: error.reason))
    }
  }

  /// A program that `/usr/bin/env` finds, in the LibreNMS directory, with the environment that scripts get.
  func script(_ arguments: [String], limit: Duration) -> ScriptRunner {
    ScriptRunner(
      arguments: arguments, directory: base, environment: ScriptEnvironment.forScripts(environment), limit: limit, port: port)
  }

  /// This machine's name, as Python's `socket.gethostname` gives it.
  private static func hostName() -> String {
    var name = [CChar](repeating: 0, count: 256)
    guard gethostname(&name, 255) == 0 else { return "localhost" }
    return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// What is read here. Others only go on to the scripts, byte by byte.
  private static func isOurs(_ name: String) -> Bool {
    ["DB_", "REDIS_", "DISPATCHER_"].contains { name.hasPrefix($0) }
      || ["NODE_ID", "MYSQL_ATTR_SSL_CA", "CACHE_DIRECTORY", "RUNTIME_DIRECTORY"].contains(name)
  }

  /// KEY=value entries by name, those that are text.
  private static func variables(_ entries: [CText]) -> [String: String] {
    var variables: [String: String] = [:]
    for entry in entries.compactMap(\.string) {
      guard let sign = entry.firstIndex(of: "=") else { continue }
      variables[String(entry[..<sign])] = String(entry[entry.index(after: sign)...])
    }
    return variables
  }
}

extension DatabaseSettings {
  /// For messages.
  var address: String { socket.isEmpty ? "\(host):\(port)" : socket }
}
