import Fixture
import Glibc
import Testing

/// The units, as `make install` places them, under a real systemd.
@Suite(.serialized) struct SystemdTests {
  private static let unit = "librenms-watchdog.service"
  /// Of the job table, in the folder that is named after the base directory.
  private static let table = "stat -c %i /run/librenms-dispatcher/*/poller.jobs"

  /// A scene with a machine; devices are polled on demand only, since their period is longer than the test.
  private func play(
    devices: Int, prepare: (SampleNode) throws -> Void = { _ in }, _ body: (Machine, Scene) throws -> Void
  ) throws {
    if let obstacle = Machine.obstacle { return progress("SKIPPED, nothing shown about systemd: \(obstacle)") }
    let installation = try Installation()
    try Scene.play(["service_poller_frequency": 3000, "service_poller_workers": 4], sleep: "0.2") { scene in
      try scene.server.addDevices(devices, lastPolled: "NOW()")
      try prepare(scene.node)
      let machine = try Machine(installation, node: scene.node, server: scene.server, mark: scene.mark)
      do {
        try body(machine, scene)
      } catch {
        progress("the machine's log:\n\(machine.log.suffix(6000))")
        throw error
      }
      try machine.stop()
    }
  }

  /// Starts a poll that takes so long, and waits for its begin.
  private func poll(_ device: Int, seconds: Int, _ machine: Machine, _ scene: Scene) throws {
    try scene.node.behave("\(device)", "sleep=\(seconds)")
    let asked = try machine.dispatcher("poll", "\(device)")
    #expect(asked.ending == .exited(0), "\(asked)")
    let began = eventually(within: .seconds(10)) { scene.node.journal.runs("poller", "\(device)").count == 1 }
    guard began else { throw FixtureError("device \(device) is not polled: \(asked)") }
  }

  /// The service knows of the poll that runs: it holds its slot and its limits.
  private func expectWatched(_ device: Int, _ machine: Machine, _ scene: Scene) throws {
    let run = try #require(scene.node.journal.runs("poller", "\(device)").first)
    #expect(run.end == nil, "the poll of device \(device) should still run")
    let watched = try eventually(within: .seconds(5), every: .milliseconds(100)) {
      let status = try JSON(parsing: machine.dispatcher("status", "--json").output)
      guard case .array(let jobs) = status["jobs"] else { return false }
      return jobs.contains { $0["pid"]?.number == Double(run.pid) }
    }
    #expect(watched, "the poll of device \(device) is in no slot")
  }

  /// One start, one end, exit code 0.
  private func expectOneNormalEnd(_ device: Int, within limit: Duration, _ scene: Scene) {
    eventually(within: limit, every: .milliseconds(100)) { scene.node.journal.runs("poller", "\(device)").first?.end != nil }
    let runs = scene.node.journal.runs("poller", "\(device)")
    #expect(runs.count == 1 && runs.first?.exitCode == 0, "device \(device): \(runs)")
  }

  @Test(.timeLimit(.minutes(3))) func theWatchdogUnitKeepsItsPollsThroughCrashHangAndRestart() throws {
    try play(devices: 3) { machine, scene in
      let unit = Self.unit

      try machine.require("systemctl", "start", unit)
      #expect(try machine.property("ActiveState", of: unit) == "active")
      let status = try machine.property("StatusText", of: unit)
      #expect(status.contains("poller"), "\(status)")
      let first = try machine.mainProcess(of: unit)
      // fping and the like could not send.
      #expect(try machine.require("cat", "/proc/\(first)/status").contains("NoNewPrivs:\t0"))
      try machine.installSetUserIDProgram()
      let directories = try machine.require("stat", "-c", "%U %a", "/run/librenms-dispatcher", "/var/cache/librenms-dispatcher")
      #expect(directories == "librenms 700\nlibrenms 700\n")
      progress("started, ready")

      try scene.node.configure(["service_poller_frequency": 3000, "service_poller_workers": 7])
      try machine.require("systemctl", "reload", unit)
      #expect(try machine.dispatcher("config", "--json").output.contains("\"service_poller_workers\" : 7"))
      try machine.require("sh", "-c", "mv /opt/librenms/.env /opt/librenms/.env.away")
      #expect(try machine.run("systemctl", "reload", unit).ending != .exited(0), "a refused configuration is a failed reload")
      try machine.require("sh", "-c", "mv /opt/librenms/.env.away /opt/librenms/.env")
      try machine.require("systemctl", "reload", unit)
      #expect(try machine.mainProcess(of: unit) == first)
      #expect(try machine.property("ActiveState", of: unit) == "active")
      progress("reloaded")

      let table = try machine.require("sh", "-c", Self.table)
      try poll(1, seconds: 8, machine, scene)
      try machine.require("kill", "-KILL", "\(first)")
      try machine.awaitReplacement(of: first, in: unit, within: .seconds(10))
      #expect(try machine.require("sh", "-c", Self.table) == table)
      try expectWatched(1, machine, scene)
      expectOneNormalEnd(1, within: .seconds(20), scene)
      #expect(readText(scene.node.base + "/seen-uid") == "0\n", "a program like fping got its rights from a poll")
      progress("crashed and taken over")

      // Less time than the poll takes: the service has to ask for more while it waits.
      try machine.require("sh", "-c", "printf '[Service]\\nTimeoutStopSec=3\\n' >/etc/systemd/system/\(unit).d/stop.conf")
      try machine.require("systemctl", "daemon-reload")
      let second = try machine.mainProcess(of: unit)
      try poll(2, seconds: 12, machine, scene)
      try machine.require("systemctl", "restart", unit)
      #expect(try machine.mainProcess(of: unit) != second)
      #expect(try machine.require("sh", "-c", Self.table) == table)
      expectOneNormalEnd(2, within: .seconds(5), scene)
      let stop = try machine.require("journalctl", "--no-pager", "-u", unit)
      #expect(!stop.contains("timed out"), "\(stop)")
      progress("restarted")

      let third = try machine.mainProcess(of: unit)
      try poll(3, seconds: 40, machine, scene)
      try machine.require("kill", "-STOP", "\(third)")
      try machine.awaitReplacement(of: third, in: unit, within: .seconds(37))
      #expect(try machine.require("journalctl", "--no-pager", "-u", unit).contains("Watchdog timeout"))
      #expect(try machine.require("sh", "-c", Self.table) == table)
      try expectWatched(3, machine, scene)
      expectOneNormalEnd(3, within: .seconds(50), scene)
      #expect(try machine.property("NRestarts", of: unit) == "1", "counted anew since the restart by hand")
      progress("hung and restarted by the watchdog")

      try machine.require("systemctl", "stop", unit)
      #expect(try machine.property("Result", of: unit) == "success")
      let left = try machine.require("find", "/proc", "-maxdepth", "1", "-name", "[0-9]*", "-user", "librenms")
      #expect(left.isEmpty, "nothing may be left of a stopped service: \(left)")
      #expect(try machine.run("test", "-e", "/run/librenms-dispatcher").ending == .exited(1))
    }
  }

  @Test(.timeLimit(.minutes(2))) func thePlainUnitStartsAndTheWatchdogUnitTakesItsNameWhenEnabled() throws {
    try play(devices: 1) { machine, _ in
      try machine.require("systemctl", "start", "librenms.service")
      #expect(try machine.property("Id", of: "librenms.service") == "librenms.service")
      #expect(try machine.property("ActiveState", of: "librenms.service") == "active")
      try machine.require("systemctl", "reload", "librenms.service")
      try machine.require("systemctl", "stop", "librenms.service")

      // A refused start is tried again until what was wrong is put right.
      try machine.require("mv", "/opt/librenms/.env", "/opt/librenms/.env.away")
      #expect(try machine.run("systemctl", "start", "librenms.service").ending != .exited(0))
      pause(.seconds(2))
      try machine.require("mv", "/opt/librenms/.env.away", "/opt/librenms/.env")
      let cured = try eventually(within: .seconds(10), every: .milliseconds(200)) {
        try machine.property("ActiveState", of: "librenms.service") == "active"
      }
      #expect(cured, "\(machine.log)")
      try machine.require("systemctl", "stop", "librenms.service")

      try machine.require("systemctl", "enable", Self.unit)
      #expect(try machine.property("Id", of: "librenms.service") == Self.unit)
      try machine.require("systemctl", "start", "librenms")
      #expect(try machine.property("WatchdogUSec", of: "librenms") == "30s")
      try machine.require("systemctl", "disable", "--now", Self.unit)
      #expect(try machine.property("Id", of: "librenms.service") == "librenms.service")
    }
  }

  @Test(.enabled(if: PHPSample.isPossible, "needs php"), .timeLimit(.minutes(2)))
  func thePHPCacheIsInTheCacheDirectoryOfTheUnit() throws {
    var sample: PHPSample?
    try play(devices: 1, prepare: { sample = try PHPSample(in: $0, files: 10) }) { machine, scene in
      let php = try #require(sample)
      try machine.require("systemctl", "start", "librenms.service")
      let log = try machine.require("journalctl", "--no-pager", "-u", "librenms.service")
      guard log.contains("file cache is on, in /var/cache/librenms-dispatcher/") else {
        // A PHP without opcache is a good reason, and the only one.
        return #expect(log.contains("file cache is off: PHP"), "\(log)")
      }
      #expect(try machine.dispatcher("poll", "1").ending == .exited(0))
      #expect(eventually(within: .seconds(20)) { !php.runs.isEmpty }, "\(machine.log)")
      let cached = try machine.require("find", "/var/cache/librenms-dispatcher", "-name", "Part3.php.bin", "-user", "librenms")
      #expect(!cached.isEmpty)
      // It stays: the next start finds it warm.
      try machine.require("systemctl", "stop", "librenms.service")
      #expect(try machine.require("find", "/var/cache/librenms-dispatcher", "-name", "Part3.php.bin") == cached)
    }
  }

  /// A stop of the service waits for its scripts, a shutdown of the machine only so long.
  @Test(.timeLimit(.minutes(2))) func aShutdownDoesNotWaitForALongPoll() throws {
    try play(devices: 1) { machine, scene in
      let place = "/etc/systemd/system/librenms.service.d/limit.conf"
      try machine.require("sh", "-c", "printf '[Service]\\nEnvironment=DISPATCHER_SHUTDOWN_LIMIT=3\\n' >\(place)")
      try machine.require("systemctl", "daemon-reload")
      try machine.require("systemctl", "start", "librenms.service")
      try poll(1, seconds: 300, machine, scene)
      let began = ContinuousClock.now
      #expect(machine.powersOff(within: .seconds(40)), "the machine should be down")
      #expect(ContinuousClock.now - began > .seconds(3), "the poll should have had its time")
    }
  }
}
