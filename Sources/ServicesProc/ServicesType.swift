import Core
import Database
import JobKit

/// Service checks: every enabled device that has services, on epoch-aligned multiples of the period, `check-services.php`.
struct ServicesType: SchedulerType {
  let type = TaskType.services
  let lockPrefix = "services.device."

  func slots(_ settings: Settings) -> Int { settings[.services].workers }

  func rules(_ settings: Settings, startedAt: MonotonicTime) -> [DispatchRule] {
    // By the device and not by its services: each device once, and MariaDB looks at one row of the index on services per device.
    let sql = """
      SELECT `device_id`, `poller_group` FROM `devices` WHERE `disabled` = 0 AND \(settings.groupCondition)
        AND EXISTS (SELECT 1 FROM `services` WHERE `services`.`device_id` = `devices`.`device_id`)
      ORDER BY `device_id`
      """
    return [
      DispatchRule(name: "services", trigger: .tick(index: 0, period: settings[.services].frequency), respectsLocks: false) {
        connection throws(DatabaseError) in
        try connection.query(sql).compactMap { row in
          guard let id = row[0].int, let group = row[1].int else { return nil }
          return DueJob(payload: String(id), group: Int(group))
        }
      }
    ]
  }

  func command(_ item: QueueItem, _ settings: Settings) -> ScriptCommand {
    .php("check-services.php", (settings.flags.debug ? ["-d"] : []) + ["-h", item.payload], base: settings.base)
  }

  func exitKind(_ settings: Settings) -> ExitCodePolicy.Kind { .services(downCodes: [5, 6]) }

  func logFile(_ item: QueueItem) -> String? { "dispatch_device_\(item.payload)_services.log" }

  /// No test of time: LibreNMS notes none for the services of a device.
  func check(_ item: QueueItem, _ settings: Settings) -> (@Sendable (DatabaseConnection) throws(DatabaseError) -> Fitness)? {
    DeviceCheck.presence(item)
  }

  func judge(
    _ item: QueueItem, age: Duration
  ) -> (@Sendable (DatabaseConnection) throws(DatabaseError) -> ExitCodePolicy.Ending)? { nil }
}
