import Core
import JobKit

/// Service checks: every enabled device that has services, on epoch-aligned multiples of the period, `check-services.php`.
struct ServicesType: SchedulerType {
  let type = TaskType.services
  let lockPrefix = "services.device."

  func slots(_ settings: Settings) -> Int { settings[.services].workers }

  func rules(_ settings: Settings, startedAt: MonotonicTime) -> [DispatchRule] {
    [
      DispatchRule(
        name: "services", trigger: .tick(index: 0, period: settings[.services].frequency), respectsLocks: false,
        question: .devicesWithServices(groups: settings.dispatchedGroups))
    ]
  }

  func command(_ item: QueueItem, _ settings: Settings) -> ScriptCommand {
    .php("check-services.php", (settings.flags.debug ? ["-d"] : []) + ["-h", item.payload], base: settings.base)
  }

  func exitKind(_ settings: Settings) -> ExitCodePolicy.Kind { .services(downCodes: [5, 6]) }

  func logFile(_ item: QueueItem) -> String? { "dispatch_device_\(item.payload)_services.log" }

  /// No test of time: LibreNMS notes none for the services of a device.
  func check(_ item: QueueItem, _ settings: Settings) -> FitnessQuestion? { .presence(item) }
}
