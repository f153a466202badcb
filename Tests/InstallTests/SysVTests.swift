import Fixture
import Glibc
import Testing

/// The SysV script on a real node, as root and with settings of its own.
@Suite struct SysVTests {
  private static var canRun: Bool {
    geteuid() == 0 && (try? ChildProcess.run(["sh", "-c", "command -v start-stop-daemon"]).ending) == .exited(0)
  }

  @Test(.enabled(if: canRun, "needs root and start-stop-daemon"), .timeLimit(.minutes(2)))
  func theScriptStartsReloadsReportsAndStops() throws {
    let installation = try Installation()
    try Scene.play(["service_poller_frequency": 5], sleep: "0.5") { scene in
      let node = scene.node
      try scene.server.addDevices(3)
      let place = node.directory.path
      let settings = place + "/settings"
      let log = place + "/service.log"
      try writeText(
        """
        DAEMON=\(installation.root)/bin/librenms-dispatcher
        USER=root
        GROUP=root
        BASE=\(node.base)
        PATH=\(node.base)/bin:$PATH
        OPTIONS="-v -g 0 1"
        RUN=\(place)/run-sysv
        CACHE=\(place)/cache-sysv
        PIDFILE=\(place)/pid
        LOG=\(log)

        """, to: settings)
      let environment = scene.mark.environment(["LIBRENMS_DISPATCHER_DEFAULTS": settings])
      let script = installation.root + "/share/doc/librenms-dispatcher/examples/librenms-dispatcher.init"
      let call = { (word: String) in
        let done = try ChildProcess.run([script, word], environment: environment)
        return (code: done.ending, text: done.output + done.errors)
      }

      #expect(try call("nonsense").code == .exited(2))
      #expect(try call("status").code == .exited(3))
      #expect(try call("reload").code == .exited(7))
      let start = try call("start")
      #expect(start.code == .exited(0), "\(start) \(readText(log) ?? "")")
      #expect(try call("start").text.contains("runs already"))
      #expect(try call("status").code == .exited(0))
      let pid = readText(place + "/pid")
      let reload = try call("reload")
      #expect(reload.code == .exited(0), "\(reload)")
      #expect(eventually(within: .seconds(10)) { node.journal.ids("poller").count == 3 })
      var status = stat()
      #expect(stat(place + "/run-sysv", &status) == 0 && status.st_mode & 0o777 == 0o700)

      #expect(try call("restart").code == .exited(0))
      #expect(readText(place + "/pid") != pid)
      #expect(try call("stop").code == .exited(0))
      #expect(try call("status").code == .exited(3))
      #expect(try call("stop").code == .exited(0), "a stop of what does not run is none")
      #expect(readText(log)?.contains("stopped") == true)
      #expect(node.journal.killed("poller").isEmpty)
    }
  }
}
