import Core

/// Whether anything runs LibreNMS's own schedule (`artisan schedule:run`): without it its validate.php says "Scheduler is not running", and
/// what it cleans up and looks after stays undone.
enum SchedulePresence {
  /// Where the timer that LibreNMS ships is installed, and the link that enables it.
  static let timers = [
    "/etc/systemd/system/timers.target.wants/librenms-scheduler.timer",
    "/etc/systemd/system/multi-user.target.wants/librenms-scheduler.timer",
  ]

  /// Cron tables that may hold the line; the service's user may not be able to read all of them.
  static func candidates(cronFile: String) -> [String] {
    var paths = [cronFile]
    for path in ["/etc/cron.d/librenms-scheduler", "/etc/crontab", "/var/spool/cron/crontabs/librenms", "/var/spool/cron/librenms"]
    where path != cronFile { paths.append(path) }
    return paths
  }

  /// `runsHere`: DISPATCHER_SCHEDULE_RUN; nil = there is no configuration. `timer`: the first of the links that is there.
  static func check(runsHere: Bool?, timer: String?, crontabs: [(path: String, text: String)]) -> Check {
    let subject = "schedule"
    let crontab = crontabs.first { starts($0.text) }?.path
    switch (runsHere ?? false, timer ?? crontab) {
    case (true, let other?):
      return .fail(
        subject, "schedule:run is started here (DISPATCHER_SCHEDULE_RUN) and by \(other): it runs twice", "remove one of them")
    case (true, nil): return .ok(subject, "schedule:run is started by this service")
    case (false, let other?): return .ok(subject, "\(other) starts schedule:run")
    case (false, nil):
      return .warn(
        subject, "nothing found that runs LibreNMS's scheduler: neither its timer, nor cron, nor DISPATCHER_SCHEDULE_RUN",
        "systemctl enable --now librenms-scheduler.timer, or DISPATCHER_SCHEDULE_RUN=on in .env")
    }
  }

  private static func starts(_ text: String) -> Bool {
    text.split(whereSeparator: \.isNewline).contains { line in
      let line = line.trimmed
      return !line.hasPrefix("#") && line.contains("schedule:run")
    }
  }
}
