import Core
import Glibc

/// Whether anything runs LibreNMS's own schedule (`artisan schedule:run`): without it its validate.php says "Scheduler is not running", and
/// what it cleans up and looks after stays undone.
struct SchedulePresence {
  /// The link that enables the timer, if there is one.
  private var timer: String?
  private var crontabs: [(path: String, text: String)]

  /// Looks at once, with the rights of now.
  static func look(cronFile: String) -> SchedulePresence {
    let files = candidates(cronFile: cronFile).compactMap { path in FileText.read(path, limit: 1 << 20).map { (path, $0) } }
    return SchedulePresence(timer: timers.first { access($0, F_OK) == 0 }, crontabs: files)
  }

  /// `runsHere` as below.
  func check(runsHere: Bool?) -> Check { Self.check(runsHere: runsHere, timer: timer, crontabs: crontabs) }

  /// Where the timer that LibreNMS ships is installed, and the link that enables it.
  static let timers = [
    "/etc/systemd/system/timers.target.wants/librenms-scheduler.timer",
    "/etc/systemd/system/multi-user.target.wants/librenms-scheduler.timer",
  ]

  /// Cron tables that may hold the line; the service's user may not be able to read all of them.
  static func candidates(cronFile: String) -> [String] {
    let directory = "/etc/cron.d"
    // The line may be in any of them.
    let shared = entries(of: directory).sorted().map { "\(directory)/\($0)" }
    let others = ["/etc/crontab", "/etc/crontabs/librenms", "/var/spool/cron/crontabs/librenms", "/var/spool/cron/librenms"]
    return [cronFile] + (shared + others).filter { $0 != cronFile }
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

  /// cron itself skips names with a dot.
  private static func entries(of path: String) -> [String] {
    ScriptFilesCheck.entries(of: path, limit: 200).filter { !$0.contains(".") }
  }

  private static func starts(_ text: String) -> Bool {
    text.split(whereSeparator: \.isNewline).contains { line in
      let line = line.trimmed
      return !line.hasPrefix("#") && line.contains("schedule:run")
    }
  }
}
