import Core

/// The command line of a job.
public struct ScriptCommand: Equatable, Sendable {
  /// Below the base directory unless it is absolute.
  public var path: String
  public var arguments: [String]

  public init(_ path: String, _ arguments: [String]) {
    self.path = path
    self.arguments = arguments
  }

  /// `/usr/bin/env php <base>/<script>`, as the contract has PHP files started.
  public static func php(_ script: String, _ arguments: [String], base: String) -> ScriptCommand {
    ScriptCommand("/usr/bin/env", ["php", "\(base)/\(script)"] + arguments)
  }
}

/// When a rule's question is asked.
public enum Trigger: Equatable, Sendable {
  case every(Duration)
  /// On epoch-aligned multiples of the period. `index`: which of the job table's ticks remembers the last run.
  case tick(index: Int, period: Duration)
}

/// One way in which work of a type becomes due.
public struct DispatchRule: Sendable {
  public var name: String
  public var trigger: Trigger
  /// How far behind the boundaries of a tick its runs are, so that the nodes of a cluster don't do the same at the same moment.
  public var offset = Duration.zero
  /// Members whose lock is held are not queued.
  public var respectsLocks: Bool
  /// Jobs that this node started itself wait for exactly this period since their last start; the query's answer is early or late by
  /// up to 2 s, since it compares whole seconds.
  public var keepsPeriod: Duration?
  /// How far the query looks ahead for such jobs: as long as it is until it is asked again.
  public var lookAhead: Duration
  public var question: DueQuestion

  public init(
    name: String, trigger: Trigger, offset: Duration = .zero, respectsLocks: Bool, keepsPeriod: Duration? = nil,
    lookAhead: Duration = .zero, question: DueQuestion
  ) {
    self.name = name
    self.trigger = trigger
    self.offset = offset
    self.respectsLocks = respectsLocks
    self.keepsPeriod = keepsPeriod
    self.lookAhead = lookAhead
    self.question = question
  }
}

/// Everything that is special about a scheduler type. The job engine does the rest.
public protocol SchedulerType: Sendable {
  var type: TaskType { get }

  /// A job that this node has done is not begun again within half its period, whoever queued it.
  var holdsOwnClock: Bool { get }

  /// Does this node run jobs of the type?
  func isEnabled(_ settings: Settings) -> Bool
  /// Slots on this node with these settings.
  func slots(_ settings: Settings) -> Int
  func rules(_ settings: Settings, startedAt: MonotonicTime) -> [DispatchRule]
  /// The name of a job's lock is this and the payload, or the group.
  var lockPrefix: String { get }
  var locksGroups: Bool { get }
  /// False: the work is each node's own, also in a cluster, and waits in memory.
  var queuesAreShared: Bool { get }
  func lockName(_ item: QueueItem) -> String
  /// The groups whose queues this node works on.
  func queueGroups(_ settings: Settings) -> [Int]
  /// True: its members are ticks, none of which may be lost: one that comes while the last run holds the lock stays queued until the lock is
  /// free. False: such a member is dropped, as a Python node drops it.
  var keepsTicks: Bool { get }
  /// Of work that is each node's own: the lock of the cluster that lets only one node do it at a time, nil = all may.
  func clusterLock(_ item: QueueItem) -> String?
  func command(_ item: QueueItem, _ settings: Settings) -> ScriptCommand
  /// The script may have changed what the configuration is made of.
  func changesConfiguration(_ item: QueueItem) -> Bool
  func exitKind(_ settings: Settings) -> ExitCodePolicy.Kind
  /// How many of the last lines of its output a failure is reported with.
  var linesOfFailure: Int { get }
  /// What a whole run of its scripts prints first and last; nil = nothing that could be missed.
  var outputFrame: ScriptOutputPolicy.Frame? { get }
  /// Its scripts run under an interpreter that may be missing, and never end with 126 or 127 themselves.
  var needsInterpreter: Bool { get }
  /// Where `--log-output file` puts a job's output; nil = output is only kept for error lines, whatever the mode.
  func logFile(_ item: QueueItem) -> String?
  /// Asked under the lock: whether the job should still run; nil = it always should.
  func check(_ item: QueueItem, _ settings: Settings) -> FitnessQuestion?
  /// How a script that ended unseen is judged; nil = nothing in the database tells. `age` since its start.
  func judge(_ item: QueueItem, age: Duration) -> UnseenEndQuestion?
}

extension SchedulerType {
  public var locksGroups: Bool { false }
  public func isEnabled(_ settings: Settings) -> Bool { settings[type].enabled }
  public var queuesAreShared: Bool { true }
  public var holdsOwnClock: Bool { false }
  public var keepsTicks: Bool { false }
  public var linesOfFailure: Int { 3 }
  public var outputFrame: ScriptOutputPolicy.Frame? { nil }
  public var needsInterpreter: Bool { true }
  public func clusterLock(_ item: QueueItem) -> String? { nil }
  public func queueGroups(_ settings: Settings) -> [Int] { settings.groups }
  public func changesConfiguration(_ item: QueueItem) -> Bool { false }
  public func check(_ item: QueueItem, _ settings: Settings) -> FitnessQuestion? { nil }
  public func judge(_ item: QueueItem, age: Duration) -> UnseenEndQuestion? { nil }

  /// How long a lock lives that nobody renews. `wall`: now, since some end with their period.
  public func lockLifetime(_ settings: Settings, at wall: Duration) -> Duration {
    LockLifetime.contract(type, settings, now: wall)
  }

  /// For how long a lock of which so much remains has been held, if its lifetime tells; nil = it does not.
  public func lockAge(remaining: Duration, _ settings: Settings) -> Duration? {
    guard let whole = LockLifetime.constant(type, settings) else { return nil }
    return whole < remaining ? nil : whole - remaining
  }

  public func lockName(_ item: QueueItem) -> String { lockPrefix + (locksGroups ? String(item.group) : item.payload) }
}
