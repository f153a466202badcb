import Fixture
import Glibc
import Testing

extension SystemdTests {
  /// Limits by control groups, in a kernel of their own, which has all controllers and gives them to the unit.
  @Test(.timeLimit(.minutes(5))) func scriptsRunUnderTheirLimitsAndNobodyElseDoes() throws {
    if let obstacle = Machine.obstacle { return progress("SKIPPED, nothing shown about limits: \(obstacle)") }
    let scripts = SampleNode.sourceDirectory + "/Tests/systemd"
    let found = try ChildProcess.run(
      [scripts + "/kernel", "find", SampleNode.sourceDirectory + "/.build/user-mode-linux"], limit: .seconds(90))
    let kernel = found.output.split(separator: "\n").last.map(String.init) ?? ""
    guard found.ending == .exited(0), fileExists(kernel) else {
      return progress("SKIPPED, nothing shown about limits: no User Mode Linux (apt-get install user-mode-linux): \(found.errors)")
    }
    let prefix = "/opt/dispatcher"
    let installation = try Installation(prefix: prefix)
    // Devices are polled and discovered on demand only.
    try Scene.play(["service_poller_frequency": 3000, "service_poller_workers": 4]) { scene in
      try scene.server.addDevices(6, lastPolled: "NOW()")
      scene.server.stop()
      let state = try TemporaryDirectory()
      for path in [state.path, state.path + "/test"] { mkdir(path, 0o755); chmod(path, 0o755) }
      let share = state.path + "/test"
      for file in [".env", ".sample/client.cnf"] {
        let path = scene.node.base + "/" + file
        let text = (readText(path) ?? "").replacing(scene.server.socket, with: "/srv/db/db.sock")
        try writeText(text, to: path, mode: 0o600)
      }
      for (from, to) in [
        (installation.root, "installed"), (scene.node.base, "librenms"), (scene.server.directory.path + "/data", "data"),
        (scripts + "/limits", "run"),
      ] {
        let copied = try ChildProcess.run(["cp", "-r", from, "\(share)/\(to)"])
        guard copied.ending == .exited(0) else { throw FixtureError("cp \(from): \(copied.errors)") }
      }
      let done = try ChildProcess.run(
        [scripts + "/kernel", "run", kernel, state.path, "200"], environment: scene.mark.environment(), limit: .seconds(220))
      let lines = done.output.split(separator: "\n")
      for line in lines where line.hasPrefix("FAILED ") { Issue.record("\(line)") }
      #expect(done.ending == .exited(0), "\(done.output.suffix(4000))\(done.errors)")
      #expect(lines.last == "done", "\(done.output.suffix(4000))\(done.errors)")
      progress("\(lines.count { $0.hasPrefix("ok ") }) things shown in a kernel of its own")
    }
  }
}
