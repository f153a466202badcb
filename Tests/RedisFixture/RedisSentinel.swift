import Fixture
import Glibc

/// A throw-away Sentinel on one loopback port. It ends with this process.
public final class RedisSentinel {
  public let directory: String
  public let port: Int
  public let password: String
  private var process: LeashedProcess?

  /// Watches `master` under the name `service`; two Sentinels have to agree before it is replaced, `downAfter` milliseconds into its silence.
  public init(service: String, master: RedisServer, downAfter: Int = 1000, password: String = "") throws {
    directory = try RedisServer.temporaryDirectory()
    port = try RedisServer.freePort()
    self.password = password
    var lines = [
      "port \(port)", "bind 127.0.0.1", "dir \(directory)", "sentinel monitor \(service) 127.0.0.1 \(master.port) 2",
      "sentinel down-after-milliseconds \(service) \(downAfter)", "sentinel failover-timeout \(service) 5000",
    ]
    if !master.password.isEmpty { lines.append("sentinel auth-pass \(service) \(master.password)") }
    if !password.isEmpty { lines += ["requirepass \(password)", "sentinel sentinel-pass \(password)"] }
    try writeText(lines.joined(separator: "\n") + "\n", to: directory + "/sentinel.conf", mode: 0o600)
    process = try LeashedProcess(
      [RedisServer.program("redis-sentinel", in: directory), directory + "/sentinel.conf"], directory: directory,
      environment: ProcessMark().environment())
    for _ in 0..<500 {
      if let answer = try? command("PING"), answer.hasPrefix("PONG") { return }
      usleep(20_000)
    }
    throw FixtureError("redis-sentinel does not answer: \(readText(directory + "/log") ?? "")")
  }

  deinit { process?.end(keepingDirectory: false) }

  public func kill() { process?.end(keepingDirectory: true) }

  /// What redis-cli prints for a command, without the last line feed.
  @discardableResult
  public func command(_ words: String...) throws -> String {
    try RedisServer.command(words, to: ["-h", "127.0.0.1", "-p", String(port)], password: password)
  }
}
