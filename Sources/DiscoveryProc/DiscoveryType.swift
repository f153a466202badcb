import Core
import Database
import JobKit

/// Discovery: new and overdue devices soon, all enabled devices on epoch-aligned multiples of the period.
struct DiscoveryType: SchedulerType {
  let type = TaskType.discovery
  let lockPrefix = "discovery.device."
  private let device = DeviceCheck(.discovered)

  func slots(_ settings: Settings) -> Int { settings[.discovery].workers }

  func rules(_ settings: Settings, startedAt: MonotonicTime) -> [DispatchRule] {
    let frequency = settings[.discovery].frequency
    let due = DiscoveryDue(settings)
    return [
      DispatchRule(
        name: "immediate discovery", trigger: .every(DiscoveryDue.interval), respectsLocks: true, keepsPeriod: frequency,
        lookAhead: DiscoveryDue.interval
      ) {
        connection throws(DatabaseError) in try due.immediate(connection, serviceAge: .now - startedAt)
      },
      DispatchRule(name: "timed discovery", trigger: .tick(index: 0, period: frequency), respectsLocks: false) {
        connection throws(DatabaseError) in try due.all(connection)
      },
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

  func check(_ item: QueueItem, _ settings: Settings) -> (@Sendable (DatabaseConnection) throws(DatabaseError) -> Fitness)? {
    device.fitness(item, frequency: settings[.discovery].frequency)
  }

  func judge(
    _ item: QueueItem, age: Duration
  ) -> (@Sendable (DatabaseConnection) throws(DatabaseError) -> ExitCodePolicy.Ending)? {
    device.judge(item, age: age)
  }
}
