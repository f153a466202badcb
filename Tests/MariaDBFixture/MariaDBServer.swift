import Core
import Fixture
import Glibc

/// A throw-away MariaDB: own data directory, own socket, one loopback port, no configuration file.
///
/// A shell between us and the server holds one end of a socket pair. When this process ends, however it ends, the pair closes and the
/// shell kills the server and removes the directory: a crashed test leaves nothing behind.
public final class MariaDBServer: @unchecked Sendable {
  public struct Failure: Error, CustomStringConvertible {
    public var description: String
  }

  /// The user of `settings`; it may do everything.
  public static let user = "librenms"
  public static let password = "secret \"quoted\" \\ $word"

  public let directory: String
  public let port: Int
  private let arguments: [String]
  private var keeper: pid_t = 0
  private var leash: Int32 = -1

  /// Lays out a data directory and starts the server. `arguments` are added to the server's command line.
  public init(arguments: [String] = []) throws {
    self.arguments = arguments
    directory = try Self.temporaryDirectory()
    port = try Fixture.MariaDBServer.freePort()
    try MariaDBTemplate(name: "plain").copy(into: directory)
    try write(
      """
      CREATE DATABASE IF NOT EXISTS librenms CHARACTER SET utf8mb4;
      CREATE USER IF NOT EXISTS '\(Self.user)'@'%' IDENTIFIED BY 'secret "quoted" \\\\ $word';
      GRANT ALL ON *.* TO '\(Self.user)'@'%' WITH GRANT OPTION;
      """, to: "init.sql")
    try start()
  }

  deinit { end(remove: true) }

  /// Over TCP to `localhost`.
  public var settings: DatabaseSettings {
    var settings = DatabaseSettings()
    settings.port = port
    settings.user = Self.user
    settings.password = Self.password
    return settings
  }

  public var socket: String { directory + "/sock" }

  /// Starts the server and waits till it answers; an error after 30 s.
  public func start() throws {
    let server =
      [
        "mariadbd", "--no-defaults", "--datadir=\(directory)/data", "--socket=\(socket)", "--port=\(port)",
        "--bind-address=127.0.0.1", "--skip-name-resolve", "--init-file=\(directory)/init.sql", "--pid-file=\(directory)/pid",
        "--innodb-log-file-size=8M", "--innodb-buffer-pool-size=16M", "--innodb-flush-log-at-trx-commit=0",
        "--max-connections=50", "--performance-schema=OFF", "--log-error=\(directory)/error.log",
      ] + Self.asRoot + arguments
    // The server must not hold the leash itself, so it gets another standard input.
    let script = "\"$@\" </dev/null & p=$!; cat >/dev/null; kill -KILL $p; wait $p; [ -e \"$KEEP\" ] || rm -rf \"$DIRECTORY\""
    var ends: [Int32] = [-1, -1]
    let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    guard socketpair(AF_UNIX, kind, 0, &ends) == 0 else { throw Failure(description: "socketpair: errno \(errno)") }
    let environment = ["DIRECTORY=\(directory)", "KEEP=\(directory)/keep", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"]
    keeper = try Self.spawn(["sh", "-c", script, "sh"] + server, standardInput: ends[0], output: directory + "/server.log", environment)
    Glibc.close(ends[0])
    leash = ends[1]
    for _ in 0..<600 {
      if answers() { return }
      usleep(50_000)
    }
    throw Failure(description: "mariadbd does not answer, see \(directory)/error.log")
  }

  /// Kills the server and keeps its data for a later `start()`.
  public func stop() throws {
    try write("", to: "keep")
    end(remove: false)
    unlink(directory + "/keep")
  }

  private func end(remove: Bool) {
    guard leash >= 0 else {
      if remove { _ = try? Self.run(["rm", "-rf", directory], output: "/dev/null") }
      return
    }
    Glibc.close(leash)
    leash = -1
    var status: Int32 = 0
    while waitpid(keeper, &status, 0) < 0 && errno == EINTR {}
  }

  public func write(_ text: String, to name: String) throws {
    let file = open(directory + "/" + name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    guard file >= 0 else { throw Failure(description: "\(directory)/\(name): errno \(errno)") }
    var text = text
    _ = text.withUTF8 { Glibc.write(file, $0.baseAddress, $0.count) }
    Glibc.close(file)
  }

  private func answers() -> Bool {
    let descriptor = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return false }
    defer { Glibc.close(descriptor) }
    return Self.withLoopback(port: port) { Glibc.connect(descriptor, $0, $1) } == 0
  }
}
