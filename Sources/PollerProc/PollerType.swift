import Core
import JobKit

/// Polling: every enabled device once per period, `lnms device:poll`.
struct PollerType: SchedulerType {
  /// Between two looks for due devices, and how far each looks ahead: this node knows to the millisecond when a period is over.
  private static let interval = Duration.seconds(1)

  let type = TaskType.poller
  let lockPrefix = "poller.device."
  let holdsOwnClock = true

  func slots(_ settings: Settings) -> Int { settings[.poller].workers }

  func rules(_ settings: Settings, startedAt: MonotonicTime) -> [DispatchRule] {
    let frequency = settings[.poller].frequency
    return [
      DispatchRule(
        name: "poll", trigger: .every(Self.interval), respectsLocks: true, keepsPeriod: frequency, lookAhead: Self.interval,
        question: .polls(period: frequency, lookAhead: Self.interval, groups: settings.dispatchedGroups))
    ]
  }

  func command(_ item: QueueItem, _ settings: Settings) -> ScriptCommand {
    var arguments = ["device:poll", item.payload]
    if settings.flags.debug { arguments.append("-vv") } else if settings.flags.output == .none { arguments.append("-q") }
    return ScriptCommand("lnms", arguments)
  }

  func exitKind(_ settings: Settings) -> ExitCodePolicy.Kind { .device(downCodes: [6]) }

  func logFile(_ item: QueueItem) -> String? { "dispatch_device_\(item.payload)_poller.log" }

  func check(_ item: QueueItem, _ settings: Settings) -> FitnessQuestion? {
    .device(item, time: .polled, period: settings[.poller].frequency)
  }

  func judge(_ item: QueueItem, age: Duration) -> UnseenEndQuestion? { UnseenEndQuestion(item, time: .polled, age: age) }
}
