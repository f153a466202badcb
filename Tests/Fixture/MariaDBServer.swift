import Glibc

/// A MariaDB server of its own, on a private socket and a loopback port, in a temporary directory. It ends with this process.
public final class MariaDBServer: @unchecked Sendable {
  /// What is in the database `librenms`.
  public enum Contents {
    /// The tables of LibreNMS; the user may do what LibreNMS's may.
    case libreNMS
    /// Nothing; the user may do everything on the server.
    case nothing
  }

  public static let user = "librenms"
  /// With the characters that a quoting mistake would trip over.
  public static let password = "secret \"quoted\" \\ $word #1"

  public var password: String { Self.password }
  public let directory: TemporaryDirectory
  public let port: Int
  public var socket: String { directory.path + "/db.sock" }
  private var dataDirectory = ""
  private let arguments: [String]
  private let zone: String?
  private let mark: ProcessMark
  private var process: LeashedProcess?
  public var pid: pid_t? { process?.pid }

  /// Copies a data directory with the database and the user `librenms`, and starts the server on it.
  ///
  /// `arguments` are added to its command line. `zone`: a file of the host's time zones that it takes for its own; nil = that of this process.
  public init(
    mark: ProcessMark, contents: Contents = .libreNMS, arguments: [String] = [], bufferPool: String = "48M", zone: String? = nil
  ) throws {
    self.mark = mark
    self.zone = zone
    self.arguments = ["--innodb-buffer-pool-size=\(bufferPool)"] + arguments
    directory = try TemporaryDirectory()
    port = try Self.freePort()
    let schema = SampleNode.sampleDirectory + "/schema.sql"
    let isEmpty = contents == .nothing
    let preparation = Self.preparation(isEmpty ? "*.* TO %@ WITH GRANT OPTION" : "librenms.* TO %@")
    let template = MariaDBTemplate(
      name: isEmpty ? "empty" : "librenms", key: preparation + (isEmpty ? "" : readText(schema) ?? "")
    ) { [self] place in
      // A server on the template itself, in the place of the one to come.
      dataDirectory = place + "/data"
      try start()
      _ = try administer(preparation, database: "")
      if !isEmpty {
        let tables = try ChildProcess.run(client(database: "librenms"), input: .file(schema))
        guard tables.ending == .exited(0) else { throw FixtureError("schema.sql: \(tables.errors)") }
      }
      stop()
    }
    try template.copy(into: directory.path, environment: environment)
    dataDirectory = directory.path + "/data"
    try start()
  }

  /// `rights`: of what to whom, with `%@` for the user.
  private static func preparation(_ rights: String) -> String {
    let literal = password.replacing("\\", with: "\\\\").replacing("'", with: "''")
    let users = ["'%'", "localhost"].map { host in
      """
      CREATE USER \(user)@\(host) IDENTIFIED BY '\(literal)';
      GRANT ALL ON \(rights.replacing("%@", with: "\(user)@\(host)"));
      """
    }
    return "CREATE DATABASE librenms CHARACTER SET utf8mb4;\n" + users.joined(separator: "\n")
  }

  /// With a place of its own for temporary tables: servers with the same process id in other name spaces would share their names in /tmp.
  private var environment: [String: String] { mark.environment(["TMPDIR": directory.path].merging(zone.map { ["TZ": $0] } ?? [:]) { $1 }) }

  /// A port that nobody listens on, below those that the kernel gives to outgoing connections: a server that restarts needs it again.
  public static func freePort() throws -> Int {
    for _ in 0..<200 {
      let port = Int.random(in: 15_000..<32_000)
      let descriptor = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0)
      guard descriptor >= 0 else { throw FixtureError.system("socket", errno) }
      defer { close(descriptor) }
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_port = in_port_t(UInt16(port).bigEndian)
      address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
      let bound = withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
      }
      if bound == 0 { return port }
    }
    throw FixtureError("no free port")
  }

  /// Starts the server on its data and waits until it answers.
  public func start() throws {
    let started = try LeashedProcess(
      [
        "mariadbd", "--no-defaults", "--datadir=\(dataDirectory)", "--socket=\(socket)", "--port=\(port)",
        "--bind-address=127.0.0.1", "--pid-file=\(directory.path)/pid", "--innodb-log-file-size=8M",
        "--innodb-flush-log-at-trx-commit=2", "--performance-schema=OFF", "--skip-log-bin", "--skip-name-resolve", "--max-connections=400",
      ] + MariaDBTemplate.userOption + arguments, directory: directory.path, environment: environment, log: "server.log")
    process = started
    let answers = try eventually(within: .seconds(30), every: .milliseconds(50)) {
      guard started.isRunning else { throw FixtureError("mariadbd has ended:\n\(log)") }
      return try ChildProcess.run(client(database: "") + ["-e", "DO 1"]).ending == .exited(0)
    }
    guard answers else { throw FixtureError("mariadbd does not answer:\n\(log)") }
  }

  private var log: String { readText(directory.path + "/server.log") ?? "" }

  /// An orderly end; `kill` for the other one.
  public func stop() {
    process?.stop()
    process = nil
  }

  public func kill() {
    process?.end(keepingDirectory: true)
    process = nil
  }

  /// Stops or continues the process: a server that accepts and never answers.
  public func freeze() { process?.send(SIGSTOP) }
  public func thaw() { process?.send(SIGCONT) }

  private func client(database: String) -> [String] {
    ["mariadb", "--no-defaults", "--skip-ssl", "--socket=\(socket)", "--user=root", "--batch", "--skip-column-names"]
      + (database.isEmpty ? [] : [database])
  }

  /// Runs statements as root.
  @discardableResult
  public func administer(_ statements: String) throws -> [[String]] { try administer(statements, database: "") }

  private func administer(_ statements: String, database: String) throws -> [[String]] {
    let done = try ChildProcess.run(client(database: database) + ["-e", statements])
    guard done.ending == .exited(0) else { throw FixtureError("\(statements): \(done.errors)") }
    return done.output.split(separator: "\n").map { $0.split(separator: "\t", omittingEmptySubsequences: false).map(String.init) }
  }

  /// Runs statements in the database `librenms` and returns rows of columns; NULL reads as "NULL".
  @discardableResult
  public func query(_ statements: String) throws -> [[String]] { try administer(statements, database: "librenms") }

  /// Adds devices that were discovered just now. Their ids are 1, 2, 3 … in an empty table.
  public func addDevices(_ count: Int, groups: Int = 1, lastPolled: String = "NOW() - INTERVAL 1 DAY", status: Int = 1) throws {
    try query(
      """
      INSERT INTO devices (hostname, status_reason, poller_group, status, os, last_polled, last_polled_timetaken, last_discovered, last_discovered_timetaken)
      SELECT CONCAT('device-', seq, '.example'), '', (seq - 1) % \(groups), \(status), 'linux', \(lastPolled), 1, NOW(), 1 FROM seq_1_to_\(count)
      """)
  }

  deinit { kill() }
}
