import Testing

@testable import ConfigProc
@testable import Core

/// What `validate` says of LibreNMS's own files and schedule.
@Suite struct SurroundingsCheckTests {
  private func problem(_ path: String, unwritable: Bool) -> ScriptFilesCheck.Problem {
    ScriptFilesCheck.Problem(path: path, isUnwritable: unwritable, owner: "root", isDirectory: false)
  }

  @Test func filesOfSomebodyElseAreNamedAndThoseThatStopScriptsFail() {
    let log = problem("/opt/x/logs/librenms.log", unwritable: true)
    let rrd = problem("/opt/x/rrd/a", unwritable: false)
    let broken = WrittenFiles.check([log, rrd], base: "/opt/x", user: "librenms")
    #expect(broken.outcome == .fail && broken.text.contains("/opt/x/logs/librenms.log belongs to root"))
    #expect(broken.wayOut?.contains("chown -R librenms") == true)
    #expect(WrittenFiles.check([rrd], base: "/opt/x", user: "librenms").outcome == .warn)
    #expect(WrittenFiles.check([], base: "/opt/x", user: "librenms").outcome == .ok)
    #expect(WrittenFiles.check([rrd], base: "/opt/x", user: "root").text.contains("can't be judged as root"))
  }

  private static let line = "* * * * * librenms cd /opt/librenms && php artisan schedule:run >> /dev/null 2>&1\n"

  @Test(
    arguments: [
      (true, nil, "", .ok), (false, "/etc/t.timer", "", .ok), (false, nil, line, .ok), (nil, nil, line, .ok), (false, nil, "", .warn),
      (nil, nil, "", .warn), (false, nil, "#" + line, .warn), (true, "/etc/t.timer", "", .fail), (true, nil, line, .fail),
      (true, nil, "  # " + line, .ok),
    ] as [(Bool?, String?, String, Check.Outcome)])
  func oneThingHasToRunTheSchedule(runsHere: Bool?, timer: String?, crontab: String, outcome: Check.Outcome) {
    let check = SchedulePresence.check(runsHere: runsHere, timer: timer, crontabs: [("/etc/crontab", ""), ("/etc/cron.d/x", crontab)])
    #expect(check.outcome == outcome)
    if outcome == .warn { #expect(check.wayOut?.contains("DISPATCHER_SCHEDULE_RUN=on") == true) }
  }
}
