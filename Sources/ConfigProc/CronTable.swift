import Core

/// A line of `/etc/cron.d/librenms` that starts what the dispatcher starts, too.
struct CronEntry: Equatable, Sendable {
  /// Counted from 1.
  var line: Int
  var script: String
  var type: TaskType
}

/// Finds what an installation that used cron before would run twice.
enum CronTable {
  /// Script names as they appear in LibreNMS's shipped cron files of several years. `schedule:run` is not among them: Laravel's own
  /// scheduler runs other tasks and is wanted beside a dispatcher.
  private static let scripts: [(name: String, type: TaskType)] = [
    ("poller-wrapper.py", .poller), ("poller.php", .poller), ("device:poll", .poller), ("discovery-wrapper.py", .discovery),
    ("discovery.php", .discovery), ("device:discover", .discovery), ("services-wrapper.py", .services),
    ("check-services.php", .services), ("ping.php", .ping), ("device:ping", .ping), ("alerts.php", .alerting),
    ("poll-billing.php", .billing), ("billing-calculate.php", .billing), ("daily.sh", .maintenance),
  ]

  static func entries(_ text: String) -> [CronEntry] {
    var found: [CronEntry] = []
    for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
      let line = line.trimmed
      guard !line.hasPrefix("#") else { continue }
      // What follows a redirection or belongs to a longer name is no script that is run.
      let words = line.split { $0.isWhitespace || "\"';&|()".contains($0) }.map { $0.split(separator: "/").last ?? $0 }
      for (name, type) in scripts where words.contains(name[...]) {
        found.append(CronEntry(line: index + 1, script: name, type: type))
      }
    }
    return found
  }

  /// `enabled` says which types this dispatcher runs; nil = not known, then all count.
  static func checks(_ text: String, path: String, enabled: Set<TaskType>?) -> [Check] {
    let doubled = entries(text).filter { enabled?.contains($0.type) ?? true }
    guard !doubled.isEmpty else { return [.ok("cron", "\(path) starts nothing that the dispatcher starts")] }
    return doubled.map { entry in
      let wayOut = "put a # before that line, or disable the type in the dispatcher"
      let text = "\(path) line \(entry.line) runs \(entry.script): \(entry.type.rawValue) would run twice"
      return .fail("cron", text, wayOut)
    }
  }
}
