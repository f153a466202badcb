import Core

/// A script to start in a slot of the job table.
public struct ScriptStart {
  public var path: String
  /// Without the program's own name.
  public var arguments: [String]
  public var environment: [CText]
  public var directory: String
  /// Added to the niceness.
  public var nice: Int32

  public init(path: String, arguments: [String], environment: [CText], directory: String, nice: Int32) {
    self.path = path
    self.arguments = arguments
    self.environment = environment
    self.directory = directory
    self.nice = nice
  }
}

/// A process that is watched until it ends.
public protocol ScriptWatch: AnyObject {
  /// Sends a signal to the process group that the script leads.
  func signalGroup(_ number: Int32)
}

/// The pipe that takes a slot's output.
public protocol ScriptOutput: AnyObject {
  /// A successor would find it where it looks for it.
  var isInPlace: Bool { get }
  /// Reads what is there; after a script's end that is at most what the pipe holds.
  func drain()
}

/// A script that was started.
public struct StartedScript {
  public var identity: ProcessIdentity
  public var watch: (any ScriptWatch)?
  /// Why it is not in the control group that it was to enter; nil: it is, or there is none.
  public var groupFailure: SystemError?

  public init(identity: ProcessIdentity, watch: (any ScriptWatch)?, groupFailure: SystemError? = nil) {
    self.identity = identity
    self.watch = watch
    self.groupFailure = groupFailure
  }
}

/// How full the memory is that scripts get theirs from.
public struct MemoryReading: Equatable, Sendable {
  /// Percent in use.
  public var used: Double
  /// For the log.
  public var place: String

  public init(used: Double, place: String) {
    self.used = used
    self.place = place
  }
}

/// Who was killed for memory in the scripts' control group, as its memory.events tells.
public struct MemoryKills: Equatable, Sendable {
  /// The group's own limit was reached and nothing could be freed.
  public var atLimit: UInt64 = 0
  /// Processes of the group that were killed for want of memory, by whatever limit.
  public var killed: UInt64 = 0

  public init(atLimit: UInt64 = 0, killed: UInt64 = 0) {
    self.atLimit = atLimit
    self.killed = killed
  }
}

/// The kernel as one child sees it: its scripts, the files that outlive it, and the machine's memory. `LinuxHost` is the real one.
///
/// Every method returns at once; callbacks come on the loop. What outlives the child (the job table, cool-downs, scripts) belongs to the
/// host, so a simulated child can be killed at any call and its successor adopts.
public protocol Host: AnyObject {
  // MARK: Files that a successor finds

  /// Where they are, for messages; the supervisor may name another directory while the child runs.
  var directory: String { get set }
  /// Opens or makes the type's job table and takes its lock.
  func openTable(slots: Int) throws(JobTable.Failure) -> JobTable
  /// A table that no successor finds, for when there can be no file; nil = no memory.
  func openPrivateTable(slots: Int) -> JobTable?
  /// Ends a predecessor that still holds the table's lock; false: the process is none of ours.
  func endPredecessor(_ pid: Int32) -> Bool
  func isInPlace(_ table: JobTable) -> Bool
  /// Makes the table's file anew where a successor looks for it.
  func putInPlace(_ table: JobTable) throws(JobTable.Failure)
  /// `fresh`: what is there belongs to another boot and is dropped.
  func openCooldowns(fresh: Bool) throws(SystemError) -> any CooldownStore
  func isInPlace(_ cooldowns: any CooldownStore) -> Bool

  // MARK: Scripts

  /// Starts a script that enters itself into its slot before exec. `onEnd` is called once, while its pid and group are not yet anybody
  /// else's; the process is reaped when it returns.
  func start(
    _ script: ScriptStart, in slot: (table: JobTable, index: Int, word: SlotWord), output: any ScriptOutput,
    onEnd: @escaping (ExitStatus) -> Void
  ) throws(Program.Failure) -> StartedScript
  /// Watches a predecessor's script; nil: it is gone. `onGone` is called once; its status is known to its parent only.
  func watch(_ identity: ProcessIdentity, onGone: @escaping () -> Void) throws(SystemError) -> (any ScriptWatch)?
  /// The process with this pid as far as it can be a script of ours; see `ProcessIdentity.script`.
  func script(pid: Int32) -> ProcessIdentity?
  /// It exists and is not a zombie.
  func isAlive(_ identity: ProcessIdentity) -> Bool
  /// SIGKILL to what an ended script has left in its group; to be called from its `onEnd`.
  func killGroup(of identity: ProcessIdentity)
  /// `writer`: a script that has the pipe already, whatever became of its name.
  func openOutput(
    slot: Int, writer: Int32?, onBytes: @escaping (UnsafeRawBufferPointer) -> Void
  ) throws(SystemError) -> any ScriptOutput

  // MARK: Limits and memory

  /// The control group that scripts are started into; nil = this process's own. One that can't be used is left out.
  func useGroup(_ directory: String?) throws(SystemError)
  /// nil where memory is not limited.
  var memoryKills: MemoryKills? { get }
  /// nil = not known.
  func readMemory() -> MemoryReading?
  /// A script may read, write and enter the directory.
  func canUse(_ directory: String) -> Bool
  /// Looks at the files that scripts write, on a thread of its own. An error: it can't be done now.
  func lookAtFiles(_ check: ScriptFilesCheck, _ done: @escaping ([ScriptFilesCheck.Problem]) -> Void) -> SystemError?
}
