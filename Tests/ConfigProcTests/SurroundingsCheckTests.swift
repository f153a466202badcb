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
    let broken = WrittenFiles.check([log, rrd], user: "librenms")
    #expect(broken.outcome == .fail && broken.text.contains("/opt/x/logs/librenms.log belongs to root"))
    #expect(broken.wayOut?.contains("chown -R librenms") == true)
    #expect(WrittenFiles.check([rrd], user: "librenms").outcome == .warn)
    #expect(WrittenFiles.check([], user: "librenms").outcome == .ok)
    #expect(WrittenFiles.check([rrd], user: "root").outcome == .ok)
    // A file system that is read-only, or a server that does not trust root.
    #expect(WrittenFiles.check([log], user: "root").outcome == .fail)
  }

  /// Who runs now; the owners of directory, `lnms` and `.env`; who is meant.
  @Test(
    arguments: [
      (1000, [0, 0, 0], 1000), (0, [1000, 1000, 1000], 0), (nil, [1000, 0, 0], 1000), (nil, [0, 1001, 1002], 1001), (nil, [0, 0], 7),
      (nil, [], 7),
    ] as [(UInt32?, [UInt32], UInt32)])
  func theUserOfTheServiceIsWhoRunsItOrOwnsTheFiles(running: UInt32?, owners: [UInt32], user: UInt32) {
    let owners = owners.map { ServiceUser.Owner(path: "/opt/x", user: $0, group: $0) }
    #expect(ServiceUser.choose(running: running, owners: owners, asker: 7).user == user)
  }

  @Test func whoeverIsNotTheUserOfTheServiceIsToldWhoIs() {
    let user = ServiceUser(user: 65534, group: 65534, origin: "the owner of /opt/x")
    #expect(user.check(failure: nil, asker: 65534).outcome == .ok)
    let other = user.check(failure: nil, asker: 12345)
    #expect(other.outcome == .warn && other.text.contains("nobody (the owner of /opt/x)") && other.text.contains("user 12345"))
    #expect(user.check(failure: SystemError("become", number: 1), asker: 0).text.contains("root can't look as nobody"))
  }

  @Test func theCronTablesOfAllNamesAreLookedAtOnce() {
    let paths = SchedulePresence.candidates(cronFile: "/etc/crontab")
    #expect(paths.first == "/etc/crontab" && Set(paths).count == paths.count)
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
