import Core

/// Everything that the supervisor asks of the kernel and of file systems: Linux, or a simulation of it. Nothing here waits.
protocol SupervisorHost: AnyObject {
  /// The process id of the supervisor.
  var pid: Int32 { get }
  /// The LibreNMS directory, with symbolic links resolved.
  var base: String { get }
  /// Called on the loop for SIGTERM, SIGINT, SIGQUIT and SIGHUP, and for SIGCHLD when a process has ended or was stopped.
  var onSignal: ((Int32) -> Void)? { get set }

  // MARK: Processes

  /// Starts the child of a type in the runtime directory.
  func startChild(_ type: TaskType) throws(SystemError) -> (pid: Int32, port: any SupervisorPort)
  /// Starts the configuration helper in a session of its own.
  func startResolver() throws(SystemError) -> (pid: Int32, port: any ResolverPort)

  /// SIGKILL to a process that was started here and not reaped yet.
  func kill(_ pid: Int32)
  /// SIGKILL to the process group that such a process, or a zombie, leads.
  func killGroup(_ pid: Int32)
  /// To the whole group of the process if it leads one, else to the process. Does nothing when it is gone.
  func signal(_ process: ProcessIdentity, _ number: Int32)

  /// A zombie to be reaped by this process; its pid and group can't be anybody else's until then.
  func nextEnded() -> EndedProcess?
  /// False when there is no such zombie.
  func reap(_ pid: Int32) -> Bool
  /// A child that was stopped by a signal; each stop is reported once.
  func nextStopped() -> Int32?

  /// It exists and is no zombie.
  func isAlive(_ process: ProcessIdentity) -> Bool
  /// The process with this pid as far as it can be a script of ours.
  func script(pid: Int32) -> ProcessIdentity?
  /// A type's job table as it is now, not to be written to; nil: there is none that could be read.
  func jobTable(_ type: TaskType) -> JobTable?

  /// Brings the control groups of the scripts to what the settings want. `resident` is asked where a process belongs, by its pid and session.
  func applyLimits(_ settings: Settings, _ resident: @escaping (_ pid: Int32, _ session: Int32) -> ControlGroupPlan.Resident)
    -> ScriptLimits

  // MARK: Places

  /// Where job tables, pipes and the operator socket are.
  var runtimeDirectory: String { get }
  /// The runtime directory is there and still claimed by this service.
  var isRuntimeDirectoryInPlace: Bool { get }
  /// Makes a runtime directory anew, in another place if it must be.
  func restoreRuntimeDirectory() throws(RuntimePlace.Refusal)
  /// Listens for operators in the runtime directory.
  func openOperatorSocket(_ serve: @escaping OperatorService) throws(SystemError) -> any OperatorEntrance

  /// What the base directory was when the service started; nil: it could not be looked at.
  var baseIdentity: FileIdentity? { get }
  /// Looks what the base directory and the lock file in it are by now, and takes a new lock file's lock. `known`: the directory as it was last.
  /// One look at a time. The error when it can't be begun; else `done` is called, possibly much later.
  func lookAtBase(_ known: FileIdentity?, _ done: @escaping (BaseLook) -> Void) -> SystemError?

  // MARK: Files that may be on a server that hangs

  /// Creates a file or sets its time to now. The error when that can't be begun; else `done` is called, possibly never, with the error or nil.
  func touch(_ path: String, _ done: @escaping (SystemError?) -> Void) -> SystemError?
  /// What a log file looks like. One look at a time; otherwise likewise.
  func lookAtLog(_ path: String, _ done: @escaping (LogWatchdogPolicy.Finding) -> Void) -> SystemError?

  // MARK: The service manager

  /// nil: nobody wants to know.
  var serviceManager: (any ServiceManager)? { get }
}

/// A process that has ended and was not reaped.
struct EndedProcess: Equatable {
  var process: ProcessIdentity
  var group: Int32
  var status: ExitStatus
}

/// What became of the limits of scripts.
struct ScriptLimits: Equatable {
  /// The directory with a control group per type; nil: scripts stay where they are started.
  var directory: String?
  /// `MEMORY_MAX=512M`, by type.
  var inForce: [TaskType: [String]] = [:]
  var notInForce: [TaskType: [String]] = [:]
}

/// One look at the base directory.
struct BaseLook: Equatable, Sendable {
  var verdict = BaseWatchPolicy.Verdict.fine
  /// What has the directory's name now.
  var directory: FileIdentity?
  /// The lock was taken anew, since its file was another one.
  var isRelocked = false
  /// Why that was to be done and could not.
  var refusal: String?
}

/// Carries out an operator's request and calls the answer once.
typealias OperatorService = (OperatorRequest, @escaping (OperatorReply) -> Void) -> Void

/// Where operators' requests come in.
protocol OperatorEntrance: AnyObject {
  /// Its name still leads to it.
  var isInPlace: Bool { get }
  func close()
}

/// Who is told how the service is: systemd's socket.
protocol ServiceManager: AnyObject {
  /// For messages.
  var address: String { get }
  /// How often it wants to hear WATCHDOG=1; nil = it does not watch.
  var watchdogInterval: Duration? { get }
  /// CLOCK_MONOTONIC in microseconds, by which it orders reloads.
  var microseconds: Int { get }
  /// One message of sd_notify(3); the error when it was not taken.
  func send(_ text: String) -> SystemError?
}
