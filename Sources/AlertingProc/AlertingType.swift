import Core
import JobKit

/// Alerting: `alerts.php` on epoch-aligned multiples of the period, one at a time in the whole cluster.
struct AlertingType: SchedulerType {
  static let alerts = "alerts"

  let type = TaskType.alerting
  /// Ours alone (`alerting.alerts`): Python nodes have no lock for it.
  let lockPrefix = "alerting."
  let keepsTicks = true
  /// A run that dies of an exception ends with 0 all the same.
  let outputFrame: ScriptOutputPolicy.Frame? = .init(opening: "Start:", closing: "End  :")

  /// Alerts belong to no group; every node with the type drains the one queue.
  func queueGroups(_ settings: Settings) -> [Int] { [0] }

  func slots(_ settings: Settings) -> Int { 1 }

  func rules(_ settings: Settings, startedAt: MonotonicTime) -> [DispatchRule] {
    [
      // Without the database the script can do nothing: the tick waits for its return.
      DispatchRule(
        name: "alerting", trigger: .tick(index: 0, period: settings[.alerting].frequency), respectsLocks: false,
        question: .fixed([Self.alerts], fromServer: true))
    ]
  }

  func command(_ item: QueueItem, _ settings: Settings) -> ScriptCommand {
    .php("alerts.php", (settings.flags.debug ? ["-d"] : []) + ["-f"], base: settings.base)
  }

  func exitKind(_ settings: Settings) -> ExitCodePolicy.Kind { .alerting }

  func logFile(_ item: QueueItem) -> String? { "dispatch_alerts.log" }
}
