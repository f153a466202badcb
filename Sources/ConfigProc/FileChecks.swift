import Core
import Glibc

/// Looks at files with the rights of this process.
struct FileChecks {
  var base: String
  var scripts: ScriptGeneration

  /// The mode of `.env`.
  var secrecy: Check {
    var status = stat()
    guard stat(base + "/.env", &status) == 0 else { return .fail(".env", "\(SystemError("stat \(base)/.env"))", "create it") }
    guard status.st_mode & 0o007 == 0 else {
      let mode = String(status.st_mode & 0o777, radix: 8)
      return .warn(".env", "every user of this host may use it (mode \(mode)), and it holds passwords", "chmod o-rwx \(base)/.env")
    }
    return .ok(".env", "is closed to other users")
  }

  /// Everything the dispatcher starts.
  var programs: [Check] {
    var checks: [Check] = []
    for name in ["lnms", "daily.sh"] {
      if let problem = problem(name, X_OK) { checks.append(.fail("scripts", problem, "chmod +x \(base)/\(name), or update LibreNMS")) }
    }
    var files = ["check-services.php", "alerts.php", "poll-billing.php", "billing-calculate.php"]
    if !scripts.discoverCommand { files.append("discovery.php") }
    if !scripts.fastPingCommand { files.append("ping.php") }
    for name in files {
      if let problem = problem(name, R_OK) { checks.append(.fail("scripts", problem, "update LibreNMS (./daily.sh)")) }
    }
    if Self.search("php") == nil {
      checks.append(.fail("scripts", "there is no php in PATH", "install PHP's command line, or give the service a PATH that has it"))
    }
    return checks.isEmpty ? [.ok("scripts", "all are there and may be run")] : checks
  }

  func directory(_ path: String) -> Check {
    guard access(path, W_OK | X_OK) == 0 else {
      return .fail(
        "log_dir", "\(path) is not writable: \(SystemError("access").reason)", "create it and give it to the user of the service")
    }
    return .ok("log_dir", "\(path) is writable")
  }

  private func problem(_ name: String, _ mode: Int32) -> String? {
    let path = base + "/" + name
    guard access(path, mode) != 0 else { return nil }
    let number = errno
    guard number != ENOENT else { return "\(path) is missing" }
    return "\(path) is not \(mode == X_OK ? "executable" : "readable"): \(SystemError("access", number: number).reason)"
  }

  private static func search(_ program: String) -> String? {
    let path = ScriptEnvironment.value("PATH") ?? "/usr/local/bin:/usr/bin:/bin"
    return path.split(separator: ":").map { "\($0)/\(program)" }.first { access($0, X_OK) == 0 }
  }
}
