import Core
import Glibc
import MariaDBFixture

@testable import ConfigProc

/// A LibreNMS directory with a stand-in for `lnms`, and the real executable run in it.
final class CommandHarness {
  let base: String
  let server: MariaDBServer?

  struct Failure: Error {
    var text: String
  }

  init(_ server: MariaDBServer?, dotenv: String? = nil) throws {
    self.server = server
    var template = Array("/tmp/configd-test-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw Failure(text: "mkdtemp") }
    base = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    mkdir(base + "/bin", 0o755)
    mkdir(base + "/logs", 0o755)
    try write("bin/php", "#!/bin/sh\ncase $1 in -r) exit 1;; esac\nexec \"$@\"\n", mode: 0o755)
    for name in ["daily.sh", "check-services.php", "alerts.php", "poll-billing.php", "billing-calculate.php", "discovery.php", "ping.php"] {
      try write(name, "#!/bin/sh\n", mode: 0o755)
    }
    try dump("{}")
    let settings = server?.settings
    let password = MariaDBServer.password.split(separator: "\\").joined(separator: "\\\\")
    try write(
      ".env", dotenv ?? "NODE_ID=n1\nDB_HOST=127.0.0.1\nDB_PORT=\(settings?.port ?? 1)\nDB_PASSWORD='\(password)'\n", mode: 0o600)
  }

  deinit { _ = try? MariaDBServer.run(["rm", "-rf", base], output: "/dev/null") }

  /// Makes `lnms` print this.
  func dump(_ text: String, exit code: Int = 0) throws {
    try write("dump.txt", text)
    try script("cat '\(base)/dump.txt'; exit \(code)")
  }

  /// Makes `lnms` run this.
  func script(_ body: String) throws {
    // Whole or not at all: it may be started at any moment.
    try write("lnms.new", "#!/bin/sh\necho run >> '\(base)/runs'\n\(body)\n", mode: 0o755)
    rename(base + "/lnms.new", base + "/lnms")
  }

  /// How often `lnms` was started.
  var runs: Int { FileText.read(base + "/runs", limit: 65536)?.split(separator: "\n").count ?? 0 }

  func write(_ name: String, _ text: String, mode: mode_t = 0o644) throws {
    let file = open(base + "/" + name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode)
    guard file >= 0 else { throw Failure(text: "\(base)/\(name)") }
    var text = text
    _ = text.withUTF8 { Glibc.write(file, $0.baseAddress, $0.count) }
    close(file)
  }

  /// Starts librenms-configd in the directory.
  func start(_ arguments: [String], environment: [CText] = []) throws -> RunningCommand {
    guard let output = CapturedStream(.first(1 << 20)), let errors = CapturedStream(.first(1 << 20)) else { throw Failure(text: "pipe") }
    var link = [CChar](repeating: 0, count: 4096)
    let length = readlink("/proc/self/exe", &link, link.count)
    let own = String(decoding: link.prefix(max(0, length)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    let directory = own.split(separator: "/").dropLast().reduce("") { $0 + "/" + $1 }
    let null = open("/dev/null", O_RDONLY | O_CLOEXEC)
    defer { close(null) }
    let program = Program(
      path: directory + "/librenms-configd", arguments: arguments,
      environment: ["PATH=\(base)/bin:/usr/bin:/bin"] + environment, input: null, output: output.writer, error: errors.writer)
    return RunningCommand(started: try program.start(), output: output, errors: errors)
  }

  /// Runs it to its end.
  func run(_ arguments: [String], environment: [CText] = []) throws -> (code: Int32, output: String, errors: String) {
    let command = try start(arguments, environment: environment)
    let status = try command.waitForEnd(within: .seconds(20))
    guard case .exited(let code) = status else { throw Failure(text: "\(status)") }
    return (code, command.output, command.errors)
  }
}
