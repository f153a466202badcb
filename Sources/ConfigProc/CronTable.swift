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
  /// Where LibreNMS's documentation puts it. `DISPATCHER_CRON_FILE` names another place.
  static var file: String { ScriptEnvironment.value("DISPATCHER_CRON_FILE") ?? "/etc/cron.d/librenms" }

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

  /// The types that this node's dispatcher sees to. In a cluster other nodes hand out the work of types that are disabled here, so cron
  /// would double it all the same: nil = all.
  static func counted(_ settings: Settings) -> Set<TaskType>? {
    settings.distributed ? nil : Set(TaskType.allCases.filter { settings[$0].enabled })
  }

  /// The same as one line for the log, which says it at each load of the configuration; nil = nothing is doubled.
  static func note(_ text: String, path: String, enabled: Set<TaskType>?) -> ConfigNote? {
    let doubled = entries(text).filter { enabled?.contains($0.type) ?? true }
    guard !doubled.isEmpty else { return nil }
    let named = doubled.prefix(8).map { "line \($0.line) \($0.script)" }.joined(separator: ", ")
    let rest = doubled.count > 8 ? " and \(doubled.count - 8) more" : ""
    return ConfigNote(
      level: .warning,
      text: """
        cron starts what this dispatcher starts, too, so it runs twice: \(path) \(named)\(rest). Put a # before these lines \
        (disable-librenms-cron does it), or disable the types in the dispatcher
        """)
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
