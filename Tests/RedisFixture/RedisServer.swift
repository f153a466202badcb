import Core
import Glibc

/// A throw-away Redis: own directory, own socket, one loopback port, nothing saved. It ends with this process.
public final class RedisServer {
  public struct Failure: Error, CustomStringConvertible {
    public var description: String
  }

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
    process = try LeashedProcess(server + arguments, directory: directory)
    for _ in 0..<500 {
      if let answer = try? command("PING"), answer.hasPrefix("PONG") || answer.hasPrefix("NOAUTH") || answer.hasPrefix("MASTERDOWN") {
        return
      }
      usleep(20_000)
    }
    throw Failure(description: "redis-server does not answer, see \(directory)/log")
  }

  /// Kills the server without warning.
  public func kill() { process?.end(keepingDirectory: true) }

  /// SIGSTOP: its sockets stay open, nothing is answered.
  /// Of the server itself.
  public func pid() throws -> pid_t {
    guard let pid = try Int32(Self.read(directory + "/pid").filter(\.isNumber)) else { throw Failure(description: "no pid") }
    return pid
  }

  public func freeze() throws { try signal(SIGSTOP) }
  public func thaw() throws { try signal(SIGCONT) }

  private func signal(_ number: Int32) throws {
    guard Glibc.kill(try pid(), number) == 0 else { throw Failure(description: "kill: errno \(errno)") }
  }

  /// What redis-cli prints for a command, without the last line feed.
  @discardableResult
  public func command(_ words: String...) throws -> String {
    try Self.command(words, to: ["-s", socket], password: password, in: directory)
  }

  static func command(_ words: [String], to server: [String], password: String, in directory: String) throws -> String {
    let output = "\(directory)/answer"
    unlink(output)
    let environment = password.isEmpty ? [] : ["REDISCLI_AUTH=\(password)"]
    let status = try LeashedProcess.run(["redis-cli"] + server + words, output: output, environment)
    let text = try read(output)
    guard status == 0 else { throw Failure(description: "redis-cli \(words): \(text)") }
    return text.hasSuffix("\n") ? String(text.dropLast()) : text
  }

  // MARK: - Files and ports

  /// Debian's packages `redis-server` and `redis-sentinel` start services, so `redis-tools` is enough here: it has the same program under
  /// another name, and the name decides what it does.
  static func program(_ name: String, in directory: String) -> String {
    let found = ["/usr/bin", "/usr/local/bin", "/usr/sbin"].contains { access("\($0)/\(name)", X_OK) == 0 }
    let link = "\(directory)/\(name)"
    return !found && symlink("/usr/bin/redis-check-rdb", link) == 0 || access(link, X_OK) == 0 ? link : name
  }

  static func temporaryDirectory() throws -> String {
    var template = Array("/tmp/redis-test-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw Failure(description: "mkdtemp: errno \(errno)") }
    return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  static func read(_ path: String) throws -> String {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { throw Failure(description: "\(path): errno \(errno)") }
    defer { close(file) }
    var text: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65536)
    while true {
      let count = Glibc.read(file, &chunk, chunk.count)
      guard count > 0 else { return String(decoding: text, as: UTF8.self) }
      text += chunk[..<count]
    }
  }

  static func write(_ text: String, to path: String) throws {
    let file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    guard file >= 0 else { throw Failure(description: "\(path): errno \(errno)") }
    defer { close(file) }
    var text = text
    _ = text.withUTF8 { Glibc.write(file, $0.baseAddress, $0.count) }
  }

  /// A port that nobody listens on, below those that the kernel gives to outgoing connections: a server that restarts needs it again.
  public static func freePort() throws -> Int {
    for _ in 0..<200 {
      let port = Int.random(in: 15_000..<32_000)
      let descriptor = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
      guard descriptor >= 0 else { throw Failure(description: "socket: errno \(errno)") }
      defer { close(descriptor) }
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_port = in_port_t(UInt16(port).bigEndian)
      address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
      let length = socklen_t(MemoryLayout<sockaddr_in>.size)
      let bound = withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, length) }
      }
      if bound == 0 { return port }
    }
    throw Failure(description: "no free port")
  }
}
