import Core
import JobKit

/// Billing: `poll-billing.php` and `billing-calculate.php`, each on epoch-aligned multiples of its own period.
///
/// They share the node's one slot, since both write the same tables; whichever has waited longer comes first, so neither waits for more than
/// one run of the other.
struct BillingType: SchedulerType {
  static let poll = "poll"
  static let calculate = "calculate"

  let type = TaskType.billing
  /// Ours alone (`billing.poll`, `billing.calculate`): Python nodes have no locks for it.
  let lockPrefix = "billing."
  let keepsTicks = true
  let linesOfFailure = 10

  /// Bills belong to no group; every node with the type drains the one queue.
  func queueGroups(_ settings: Settings) -> [Int] { [0] }

  func slots(_ settings: Settings) -> Int { 1 }

  func rules(_ settings: Settings, startedAt: MonotonicTime) -> [DispatchRule] {
    [
      rule(0, "billing poll", Self.poll, settings[.billing].frequency),
      rule(1, "billing calculate", Self.calculate, settings.billingCalculateFrequency),
    ]
  }

  private func rule(_ index: Int, _ name: String, _ payload: String, _ period: Duration) -> DispatchRule {
    // Without the database the script can do nothing: the tick waits for its return.
    DispatchRule(
      name: name, trigger: .tick(index: index, period: period), respectsLocks: false, question: .fixed([payload], fromServer: true))
  }

  func command(_ item: QueueItem, _ settings: Settings) -> ScriptCommand {
    let script = item.payload == Self.calculate ? "billing-calculate.php" : "poll-billing.php"
    return .php(script, (settings.flags.debug ? ["-d"] : []) + ["-f"], base: settings.base)
  }

  func exitKind(_ settings: Settings) -> ExitCodePolicy.Kind { .report }

  func logFile(_ item: QueueItem) -> String? { nil }
}
