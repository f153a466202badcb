import Core
import JobKit

/// Fast ping: one script per poller group on epoch-aligned multiples of the period.
struct PingType: SchedulerType {
  let type = TaskType.ping
  let lockPrefix = "ping.group."
  let locksGroups = true

  /// One per group: a group's next ping waits for its last one, never for another group's.
  func slots(_ settings: Settings) -> Int { settings.groups.count }

  func rules(_ settings: Settings, startedAt: MonotonicTime) -> [DispatchRule] {
    [
      DispatchRule(
        name: "ping", trigger: .tick(index: 0, period: settings[.ping].frequency), respectsLocks: false,
        question: .deviceGroups(settings.dispatchedGroups))
    ]
  }

  func command(_ item: QueueItem, _ settings: Settings) -> ScriptCommand {
    let group = String(item.group)
    if settings.scripts.fastPingCommand {
      return ScriptCommand("lnms", ["device:ping", "fast", settings.flags.debug ? "-vv" : "-q", "-g", group])
    }
    return .php("ping.php", (settings.flags.debug ? ["-d"] : []) + ["-f", "-g", group], base: settings.base)
  }

  func exitKind(_ settings: Settings) -> ExitCodePolicy.Kind { .ping }

  func logFile(_ item: QueueItem) -> String? { nil }
}
