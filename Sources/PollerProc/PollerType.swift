import Core
import Database
import JobKit

/// Polling: every enabled device once per period, `lnms device:poll`.
struct PollerType: SchedulerType {
  let type = TaskType.poller
  let lockPrefix = "poller.device."
  let holdsOwnClock = true
  private let device = DeviceCheck(.polled)

  func slots(_ settings: Settings) -> Int { settings[.poller].workers }

  func rules(_ settings: Settings, startedAt: MonotonicTime) -> [DispatchRule] {
    let frequency = settings[.poller].frequency
    let due = PollDue(settings)
    return [
      DispatchRule(name: "poll", trigger: .every(.seconds(1)), respectsLocks: true, keepsPeriod: frequency, lookAhead: PollDue.lookAhead) {
        connection throws(DatabaseError) in try due.fetch(connection)
      }
    ]
  }

  func command(_ item: QueueItem, _ settings: Settings) -> ScriptCommand {
    var arguments = ["device:poll", item.payload]
    if settings.flags.debug { arguments.append("-vv") } else if settings.flags.output == .none { arguments.append("-q") }
    return ScriptCommand("lnms", arguments)
  }

  func exitKind(_ settings: Settings) -> ExitCodePolicy.Kind { .device(downCodes: [6]) }

  func logFile(_ item: QueueItem) -> String? { "dispatch_device_\(item.payload)_poller.log" }

  func check(_ item: QueueItem, _ settings: Settings) -> (@Sendable (DatabaseConnection) throws(DatabaseError) -> Fitness)? {
    device.fitness(item, frequency: settings[.poller].frequency)
  }

  func judge(
    _ item: QueueItem, age: Duration
  ) -> (@Sendable (DatabaseConnection) throws(DatabaseError) -> ExitCodePolicy.Ending)? {
    device.judge(item, age: age)
  }
}
