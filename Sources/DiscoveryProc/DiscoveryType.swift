import Core
import JobKit

/// Discovery: new and overdue devices soon, all enabled devices on epoch-aligned multiples of the period.
struct DiscoveryType: SchedulerType {
  /// Between two looks for overdue devices: there is no index for it, so each reads the whole table.
  private static let interval = Duration.seconds(10)

  let type = TaskType.discovery
  let lockPrefix = "discovery.device."

  func slots(_ settings: Settings) -> Int { settings[.discovery].workers }

  func rules(_ settings: Settings, startedAt: MonotonicTime) -> [DispatchRule] {
    let frequency = settings[.discovery].frequency
    let groups = settings.dispatchedGroups
    return [
      DispatchRule(
        name: "immediate discovery", trigger: .every(Self.interval), respectsLocks: true, keepsPeriod: frequency, lookAhead: Self.interval,
        question: .discoveries(period: frequency, lookAhead: Self.interval, groups: groups, serviceStartedAt: startedAt)),
      // Down ones too: only a discovery notices what changed while a device was away.
      DispatchRule(
        name: "timed discovery", trigger: .tick(index: 0, period: frequency), respectsLocks: false, question: .allDevices(groups: groups)),
    ]
  }

  func command(_ item: QueueItem, _ settings: Settings) -> ScriptCommand {
    if settings.scripts.discoverCommand {
      var arguments = ["device:discover", item.payload]
      if settings.flags.debug { arguments.append("-vv") } else if settings.flags.output == .none { arguments.append("-q") }
      return ScriptCommand("lnms", arguments)
    }
    return .php("discovery.php", (settings.flags.debug ? ["-d"] : []) + ["-h", item.payload], base: settings.base)
  }

  func exitKind(_ settings: Settings) -> ExitCodePolicy.Kind {
    .device(downCodes: settings.scripts.discoverCommand ? [6] : [5, 6])
  }

  func logFile(_ item: QueueItem) -> String? { "dispatch_device_\(item.payload)_discovery.log" }

  func check(_ item: QueueItem, _ settings: Settings) -> FitnessQuestion? {
    .device(item, time: .discovered, period: settings[.discovery].frequency)
  }

  func judge(_ item: QueueItem, age: Duration) -> UnseenEndQuestion? { UnseenEndQuestion(item, time: .discovered, age: age) }
}
