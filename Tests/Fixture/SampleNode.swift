import Glibc

/// One node: a sample LibreNMS directory and a dispatcher on it, from the build directory of the running tests.
public final class SampleNode {
  public let directory: TemporaryDirectory
  public let mark: ProcessMark
  public private(set) var dispatcher: ChildProcess?
  /// Variables of the dispatcher's environment beyond the usual ones; used at the next start.
  public var environment: [String: String]
  /// Arguments of the dispatcher after `run --base DIR`; used at the next start.
  public var arguments: [String] = ["-v", "-t"]
  public var output: ChildProcess.Stream = .discarded
  /// A command before the dispatcher's own, which it is to exec; used at the next start.
  public var starter: [String] = []
  /// A directory that the dispatcher sees on a file system of 1 MiB, in a mount name space of its own; used at the next start.
  public var fullDisk: String?

  public var base: String { directory.path + "/librenms" }
  public var runtimeDirectory: String { directory.path + "/run" }
  public var errorLog: String { directory.path + "/stderr.log" }

  /// `misc/sample` of the source tree that these tests were built from.
  public static var sampleDirectory: String { sourceDirectory + "/misc/sample" }
  public static var sourceDirectory: String {
    String(#filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(separator: "/"))
  }

  /// Where the executables are: DISPATCHER_BUILD_DIR, else beside the running test.
  public static var buildDirectory: String {
    if let named = getenv("DISPATCHER_BUILD_DIR") { return String(cString: named) }
    let own = linkTarget("/proc/self/exe") ?? ""
    return String(own.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/"))
  }

  public static var dispatcherPath: String { buildDirectory + "/librenms-dispatcher" }

  /// `configuration`: what the dump prints. `port`: over TCP instead of the server's socket.
  public init(
    server: MariaDBServer, mark: ProcessMark, configuration: [String: JSON] = [:], environment: [String: String] = [:], sleep: String = "1",
    generation: Int = 26, overTCP: Bool = false
  ) throws {
    directory = try TemporaryDirectory()
    self.mark = mark
    self.environment = environment
    guard fileExists(Self.dispatcherPath) else {
      throw FixtureError("\(Self.dispatcherPath) is missing: build it first, or name its directory in DISPATCHER_BUILD_DIR")
    }
    let made = try ChildProcess.run(
      [
        Self.sampleDirectory + "/make-sample", base, "--generation", "\(generation)", "--sleep", sleep, "--node-id", "node-1",
      ] + (overTCP ? ["--db-host", "127.0.0.1", "--db-port", "\(server.port)"] : ["--db-socket", server.socket]))
    guard made.ending == .exited(0) else { throw FixtureError("make-sample: \(made.errors)") }
    // Both kinds of file have it between double quotes, with the same escapes.
    let password = server.password.map { "\\\"".contains($0) ? "\\\($0)" : "\($0)" }.joined()
    for (file, name) in [(base + "/.env", "DB_PASSWORD"), (base + "/.sample/client.cnf", "password")] {
      let lines = (readText(file) ?? "").split(separator: "\n").map {
        $0.hasPrefix(name + "=") ? "\(name)=\"\(password)\"" : String($0)
      }
      try writeText(lines.joined(separator: "\n") + "\n", to: file, mode: 0o600)
    }
    mkdir(runtimeDirectory, 0o700)
    try configure(configuration)
  }

  /// What `config:get --dump` prints from now on.
  public func configure(_ configuration: [String: JSON]) throws {
    try writeText(try JSON.object(configuration).encoded, to: base + "/config.json")
  }

  /// How the stand-in named `key` behaves (`default`, a type, a device id, `poller.7`, `dump`); nil: no longer.
  public func behave(_ key: String, _ words: String?) throws {
    if let words { try writeText(words + "\n", to: "\(base)/behaviour/\(key)") } else { unlink("\(base)/behaviour/\(key)") }
  }

  public var dispatcherEnvironment: [String: String] {
    var all = mark.environment(["RUNTIME_DIRECTORY": runtimeDirectory])
    all["PATH"] = base + "/bin:" + (all["PATH"] ?? "/usr/bin:/bin")
    for (name, value) in environment { all[name] = value }
    return all
  }

  public func start() throws {
    var command = [Self.dispatcherPath, "run", "--base", base] + arguments
    if let fullDisk {
      let script = "mount -t tmpfs -o size=1m tmpfs \"$0\" && head -c 2m /dev/zero >\"$0/filler\" 2>/dev/null; exec \"$@\""
      command = Self.mountingPrefix + ["sh", "-c", script, fullDisk] + command
    }
    dispatcher = try ChildProcess(
      starter + command, environment: dispatcherEnvironment, directory: base, output: output, errors: .file(errorLog))
  }

  private static var mountingPrefix: [String] { geteuid() == 0 ? ["unshare", "--mount"] : ["unshare", "--mount", "--map-root-user"] }

  /// A `starter` that gives the dispatcher a mount name space of its own, changed by this shell script.
  public static func mounting(_ script: String) -> [String] { mountingPrefix + ["sh", "-c", "set -e; \(script); exec \"$@\"", "sh"] }

  /// Runs a command in the dispatcher's mount name space. As root only.
  public func inside(_ words: [String], limit: Duration = .seconds(20)) throws -> (
    ending: ChildProcess.Ending, output: String, errors: String
  ) {
    guard let dispatcher else { throw FixtureError("no dispatcher was started") }
    return try ChildProcess.run(
      ["nsenter", "--mount", "--target", "\(dispatcher.pid)", "--"] + words, environment: dispatcherEnvironment, directory: base,
      limit: limit)
  }

  /// The same with a subcommand of the dispatcher.
  public func commandInside(_ words: String..., limit: Duration = .seconds(20)) throws -> (
    ending: ChildProcess.Ending, output: String, errors: String
  ) { try inside([Self.dispatcherPath] + words + ["--base", base], limit: limit) }

  /// Mounts may be made, and the name space that they are made in may be entered.
  public static var canEnterMounts: Bool { geteuid() == 0 && canMount }

  /// Some containers allow no mounts at all.
  public static var canMount: Bool {
    (try? ChildProcess.run(mountingPrefix + ["mount", "-t", "tmpfs", "tmpfs", "/mnt"]).ending) == .exited(0)
  }

  /// Runs a subcommand such as `status --json`.
  public func command(_ words: String..., limit: Duration = .seconds(20)) throws -> (
    ending: ChildProcess.Ending, output: String, errors: String
  ) {
    try ChildProcess.run(
      [Self.dispatcherPath] + words + ["--base", base], environment: dispatcherEnvironment, directory: base, limit: limit)
  }

  public func status() throws -> JSON {
    let answer = try command("status", "--json")
    guard answer.ending == .exited(0) else { throw FixtureError("status --json: \(answer.ending) \(answer.errors)") }
    return try JSON(parsing: answer.output)
  }

  /// SIGTERM and the wait for the end.
  public func stop(within limit: Duration = .seconds(30)) -> ChildProcess.Ending? {
    dispatcher?.send(SIGTERM)
    return dispatcher?.wait(limit)
  }

  /// SIGKILL for the supervisor alone: its children and scripts are left to what the product makes of them.
  public func killSupervisor() {
    dispatcher?.send(SIGKILL)
    _ = dispatcher?.wait(.seconds(5))
  }

  public var errors: String { readText(errorLog) ?? "" }
  public var journal: Journal { Journal(readText(base + "/journal.log") ?? "") }

  /// The living children by the name of their executable; of several the one that the supervisor started last.
  public func child(_ executable: String) -> ProcessInfo? {
    guard let dispatcher else { return nil }
    return ProcessInfo.all().filter { $0.parent == dispatcher.pid && $0.executable == executable && $0.state != "Z" }.max {
      $0.pid < $1.pid
    }
  }

  public func awaitChild(_ executable: String, within limit: Duration = .seconds(20), not old: pid_t = 0) throws -> ProcessInfo {
    var found: ProcessInfo?
    eventually(within: limit, every: .milliseconds(10)) {
      found = child(executable)
      return found.map { $0.pid != old } ?? false
    }
    guard let found, found.pid != old else { throw FixtureError("no \(executable) within \(limit); standard error:\n\(errors)") }
    return found
  }

  deinit { dispatcher?.end() }
}
