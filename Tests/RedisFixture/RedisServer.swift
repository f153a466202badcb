import Core
import Fixture
import Glibc

/// A throw-away Redis: own directory, own socket, one loopback port, nothing saved. It ends with this process.
public final class RedisServer {
  public let directory: String
  public let port: Int
  /// What `command` authenticates with.
  public var password: String
  private let arguments: [String]
  private var process: LeashedProcess?

  /// Starts the server. `arguments` are added to its command line, such as `--maxmemory 2mb`.
  public init(password: String = "", arguments: [String] = []) throws {
    directory = try Self.temporaryDirectory()
    port = try Self.freePort()
    self.password = password
    self.arguments = (password.isEmpty ? [] : ["--requirepass", password]) + arguments
    try start()
  }

  deinit { process?.end(keepingDirectory: false) }

  public var socket: String { directory + "/sock" }

  /// Over TCP to `127.0.0.1`, with `password`.
  public var settings: RedisSettings {
    var settings = RedisSettings()
    settings.host = "127.0.0.1"
    settings.port = port
    settings.password = password
    settings.isNamed = true
    return settings
  }

  /// Starts the server, empty, and waits till it answers; an error after 10 s.
  public func start() throws {
    let server = [
      Self.program("redis-server", in: directory), "--port", String(port), "--bind", "127.0.0.1", "--unixsocket", socket, "--dir",
      directory, "--save", "",
      "--appendonly",
      "no", "--daemonize", "no", "--repl-diskless-sync-delay", "0",
    ]
    process = try LeashedProcess(server + arguments, directory: directory, environment: ProcessMark().environment())
    for _ in 0..<500 {
      if let answer = try? command("PING"), answer.hasPrefix("PONG") || answer.hasPrefix("NOAUTH") || answer.hasPrefix("MASTERDOWN") {
        return
      }
      usleep(20_000)
    }
    throw FixtureError("redis-server does not answer: \(readText(directory + "/log") ?? "")")
  }

  /// Kills the server without warning.
  public func kill() { process?.end(keepingDirectory: true) }

  /// Of the server itself.
  public func pid() throws -> pid_t {
    guard let process else { throw FixtureError("redis-server does not run") }
    return process.pid
  }

  /// SIGSTOP: its sockets stay open, nothing is answered.
  public func freeze() throws { process?.send(SIGSTOP) }
  public func thaw() throws { process?.send(SIGCONT) }

  /// What redis-cli prints for a command, without the last line feed.
  @discardableResult
  public func command(_ words: String...) throws -> String {
    try Self.command(words, to: ["-s", socket], password: password)
  }

  static func command(_ words: [String], to server: [String], password: String) throws -> String {
    var environment = ["PATH": "/usr/local/bin:/usr/bin:/bin"]
    if !password.isEmpty { environment["REDISCLI_AUTH"] = password }
    let done = try ChildProcess.run(["redis-cli"] + server + words, environment: environment)
    let text = done.output + done.errors
    guard done.ending == .exited(0) else { throw FixtureError("redis-cli \(words): \(text)") }
    return text.hasSuffix("\n") ? String(text.dropLast()) : text
  }

  // MARK: - Places

  /// Debian's packages `redis-server` and `redis-sentinel` start services, so `redis-tools` is enough here: it has the same program under
  /// another name, and the name decides what it does.
  static func program(_ name: String, in directory: String) -> String {
    let found = ["/usr/bin", "/usr/local/bin", "/usr/sbin"].contains { access("\($0)/\(name)", X_OK) == 0 }
    let link = "\(directory)/\(name)"
    return !found && symlink("/usr/bin/redis-check-rdb", link) == 0 || access(link, X_OK) == 0 ? link : name
  }

  static func temporaryDirectory() throws -> String {
    var template = Array("/tmp/redis-test-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw FixtureError("mkdtemp: errno \(errno)") }
    return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// A port that nobody listens on.
  public static func freePort() throws -> Int { try MariaDBServer.freePort() }
}
