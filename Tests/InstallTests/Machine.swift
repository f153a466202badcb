import Fixture
import Glibc

/// A real systemd in name spaces of its own with an installed dispatcher, LibreNMS's user and a sample directory in /opt/librenms.
final class Machine {
  /// Why none can be had here; nil: it can.
  static var obstacle: String? {
    if geteuid() != 0 { return "this is not root" }
    if !fileExists("/usr/lib/systemd/systemd") { return "systemd is not installed (apt-get install systemd)" }
    let groups = fileExists("/sys/fs/cgroup/unified") ? "/sys/fs/cgroup/unified" : "/sys/fs/cgroup"
    if access(groups, W_OK) != 0 { return "control groups can't be made in \(groups)" }
    let allowed = try? ChildProcess.run(["unshare", "--mount", "--pid", "--fork", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]).ending
    return allowed == .exited(0) ? nil : "this container allows no new name spaces"
  }

  private static let script = SampleNode.sourceDirectory + "/Tests/systemd/machine"
  private static let base = "/opt/librenms"
  /// With the sample's stand-in for php before the real one.
  private static let path = "/opt/librenms/bin:/usr/local/bin:/usr/bin:/bin"

  private let state: TemporaryDirectory
  private let mark: ProcessMark

  /// The installation is seen in its prefix, the node's directory as /opt/librenms, and the server's as /srv/db.
  init(_ installation: Installation, node: SampleNode, server: MariaDBServer, mark: ProcessMark) throws {
    state = try TemporaryDirectory()
    self.mark = mark
    // The service's user has to get to the socket.
    chmod(server.directory.path, 0o711)
    for file in [".env", ".sample/client.cnf"] {
      let path = node.base + "/" + file
      let text = (readText(path) ?? "").replacing(server.socket, with: "/srv/db/db.sock")
      try writeText(text, to: path, mode: 0o600)
    }
    let visible = ["\(installation.root):\(installation.prefix)", "\(node.base):\(Self.base):rw", "\(server.directory.path):/srv/db"]
    let started = try ChildProcess.run([Self.script, "start", state.path] + visible, environment: mark.environment(), limit: .seconds(40))
    guard started.ending == .exited(0) else { throw FixtureError("the machine does not start: \(started.errors)") }
    try require("systemd-sysusers")
    try require("chown", "-R", "librenms:librenms", Self.base)
    // The sample's php is a stand-in, and the units' path does not lead to it.
    for unit in ["librenms", "librenms-watchdog"] {
      let place = "/etc/systemd/system/\(unit).service.d"
      try require("mkdir", "-p", place)
      try require("sh", "-c", "printf '[Service]\\nEnvironment=PATH=\(Self.path)\\n' >\(place)/test.conf")
    }
    try require("systemctl", "daemon-reload")
  }

  /// Runs a command in it as root.
  @discardableResult
  func run(_ command: String..., limit: Duration = .seconds(60)) throws -> (
    ending: ChildProcess.Ending, output: String, errors: String
  ) {
    try ChildProcess.run([Self.script, "exec", state.path] + command, environment: mark.environment(), limit: limit)
  }

  /// The same for what has to work.
  @discardableResult
  func require(_ command: String...) throws -> String {
    let done = try ChildProcess.run([Self.script, "exec", state.path] + command, environment: mark.environment())
    guard done.ending == .exited(0) else { throw FixtureError("\(command.joined(separator: " ")): \(done)\n\(log)") }
    return done.output
  }

  func property(_ name: String, of unit: String) throws -> String {
    try require("systemctl", "show", unit, "--property", name, "--value").split(separator: "\n").first.map(String.init) ?? ""
  }

  func mainProcess(of unit: String) throws -> Int { Int(try property("MainPID", of: unit)) ?? 0 }

  /// Waits for another main process than `old` and for READY=1 of it.
  func awaitReplacement(of old: Int, in unit: String, within limit: Duration) throws {
    let replaced = try eventually(within: limit, every: .milliseconds(100)) {
      let now = try mainProcess(of: unit)
      return try now != 0 && now != old && property("ActiveState", of: unit) == "active"
    }
    guard replaced else { throw FixtureError("\(unit) was not replaced within \(limit):\n\(log)") }
  }

  /// Lets every poll call a program that is setuid root, as fping may be, and write down as who that one runs.
  func installSetUserIDProgram() throws {
    try require("install", "-m", "4755", "/usr/bin/id", "/srv/setuid-id")
    let wrapper = "#!/bin/sh\n/srv/setuid-id -u >\(Self.base)/seen-uid\nexec /usr/bin/mariadb \"$@\"\n"
    try require("sh", "-c", "printf '%s' '\(wrapper)' >\(Self.base)/bin/mariadb; chmod 755 \(Self.base)/bin/mariadb")
  }

  /// What the service and systemd said.
  var log: String {
    (try? ChildProcess.run([Self.script, "exec", state.path, "journalctl", "--no-pager", "-o", "short-monotonic"]).output) ?? ""
  }

  /// The dispatcher of the installation, as root, as an operator types it.
  func dispatcher(_ words: String...) throws -> (ending: ChildProcess.Ending, output: String, errors: String) {
    let command = [Self.script, "exec", state.path, "env", "PATH=\(Self.path)", "librenms-dispatcher"] + words + ["--base", Self.base]
    return try ChildProcess.run(command, environment: mark.environment())
  }

  /// Asks for the end as `poweroff` does; true if it is there within the limit.
  func powersOff(within limit: Duration) -> Bool {
    let first = readText(state.path + "/pid")?.split(separator: "\n").first.flatMap { Int32($0) } ?? 0
    guard first > 1 else { return false }
    // To systemd this is poweroff.target.
    kill(first, __libc_current_sigrtmin() + 4)
    return eventually(within: limit, every: .milliseconds(100)) { kill(first, 0) != 0 }
  }

  /// Ends it, and throws if a process, a mount or a control group stays.
  func stop() throws {
    let first = readText(state.path + "/pid")?.split(separator: "\n").first.flatMap { Int32($0) } ?? 0
    let group = readText(state.path + "/group")?.split(separator: "\n").first.map(String.init) ?? ""
    let done = try ChildProcess.run([Self.script, "stop", state.path], environment: mark.environment())
    guard done.ending == .exited(0) else { throw FixtureError("the machine does not stop: \(done.errors)") }
    var left: [String] = []
    if first > 0, !eventually(within: .seconds(5), { kill(first, 0) != 0 }) { left.append("process \(first)") }
    if group.isEmpty || fileExists(group) { left.append("control group \(group)") }
    if readText("/proc/self/mountinfo")?.contains(state.path) ?? true { left.append("a mount below \(state.path)") }
    guard left.isEmpty else { throw FixtureError("left behind: \(left.joined(separator: ", "))") }
  }

  deinit { _ = try? ChildProcess.run([Self.script, "stop", state.path]) }
}
