import Core
import JobKit

/// Maintenance: `daily.sh` on every node, one node of a cluster at a time, each at its own moment of the hour after the tick.
///
/// Where nothing else does it (a container without cron or systemd), Laravel's own schedule too: `artisan schedule:run` each minute.
struct MaintenanceType: SchedulerType {
  static let daily = "daily.sh"
  static let schedule = "schedule:run"
  /// The lock of the contract; Python nodes look whether it exists.
  static let updateLock = "schema-update"
  /// Nodes spread over this time: at 00:00 UTC all of them would stop polling for their update at once.
  private static let spread = Duration.seconds(3600)

  let type = TaskType.maintenance
  let lockPrefix = "maintenance."
  let queuesAreShared = false
  let linesOfFailure = 10
  /// daily.sh is a shell script: one of its own commands may be what is missing.
  let needsInterpreter = false

  func lockName(_ item: QueueItem) -> String { item.payload == Self.daily ? Self.updateLock : lockPrefix + item.payload }

  /// A node updates itself, whatever groups it polls.
  func queueGroups(_ settings: Settings) -> [Int] { [0] }

  func clusterLock(_ item: QueueItem) -> String? { item.payload == Self.daily ? Self.updateLock : nil }

  func isEnabled(_ settings: Settings) -> Bool { slots(settings) > 0 }

  /// daily.sh may take an hour, and the schedule has to run each minute of it.
  func slots(_ settings: Settings) -> Int { (settings[.maintenance].enabled ? 1 : 0) + (settings.runsSchedule ? 1 : 0) }

  func rules(_ settings: Settings, startedAt: MonotonicTime) -> [DispatchRule] {
    var rules: [DispatchRule] = []
    if settings[.maintenance].enabled {
      let period = settings[.maintenance].frequency
      let offset = Self.offset(node: NodeIdentity.uuid(settings), within: min(Self.spread, period))
      rules.append(
        DispatchRule(
          name: Self.daily, trigger: .tick(index: 0, period: period), offset: offset, respectsLocks: false,
          question: .fixed([Self.daily], fromServer: false)))
    }
    if settings.runsSchedule {
      rules.append(
        DispatchRule(
          name: Self.schedule, trigger: .tick(index: 1, period: .seconds(60)), respectsLocks: false,
          question: .fixed([Self.schedule], fromServer: false)))
    }
    return rules
  }

  /// A node's own moment: always the same, whole seconds, spread evenly since the uuid is a hash.
  static func offset(node uuid: String, within spread: Duration) -> Duration {
    let digits = uuid.filter { $0 != "-" }.suffix(8)
    let number = Int64(digits, radix: 16) ?? 0
    return .seconds(number % max(1, spread.components.seconds))
  }

  func command(_ item: QueueItem, _ settings: Settings) -> ScriptCommand {
    item.payload == Self.schedule ? .php("artisan", ["schedule:run"], base: settings.base) : ScriptCommand("daily.sh", [])
  }

  /// It may fetch another version of LibreNMS, with other scripts and other settings.
  func changesConfiguration(_ item: QueueItem) -> Bool { item.payload == Self.daily }

  func exitKind(_ settings: Settings) -> ExitCodePolicy.Kind { .report }

  func logFile(_ item: QueueItem) -> String? { nil }
}
