import CLinuxShims
import Core
import Glibc
import Logging

/// The supervisor's host in production. Processes are here; places and files are in `LinuxSupervisorHost+Places`.
final class LinuxSupervisorHost: SupervisorHost {
  /// What differs from one installation to the next.
  struct Options {
    var place: RuntimePlace
    /// nil: several instances are allowed.
    var lock: InstanceLock?
    /// The flags of the service that the configuration helper is to know too.
    var resolverArguments: [String] = []
    var lookup = ExecutableLookup()
  }

  let loop: EventLoop
  let log: Logger
  let place: RuntimePlace
  let baseIdentity: FileIdentity?
  let serviceManager: (any ServiceManager)?
  private let lookup: ExecutableLookup
  private let resolverArguments: [String]
  private let groups: ControlGroups
  private let machine = MachineIdentity.current()
  /// Output of children is inherited; their input is this.
  private let null: Int32
  private var signals: SignalSource?
  var onSignal: ((Int32) -> Void)?

  // Of the places.
  var lock: InstanceLock?
  let baseCall: BlockingCall<RelockedLook>
  let logCall: BlockingCall<LogWatchdogPolicy.Finding>
  var touchCall: BlockingCall<SystemError?>

  /// Takes over signals and the reaping of this process. Throws `SystemError` when the kernel refuses what everything rests on.
  init(_ options: Options, loop: EventLoop, log: Logger) throws {
    self.loop = loop
    self.log = log
    place = options.place
    lock = options.lock
    lookup = options.lookup
    resolverArguments = options.resolverArguments
    serviceManager = NotifySocket(log: log)
    try SystemError.check(shim_set_subreaper(), "become the reaper of orphans")
    null = try SystemError.check(open("/dev/null", O_RDONLY | O_CLOEXEC), "open /dev/null")
    groups = ControlGroups(types: SupervisedTypes.all, location: ControlGroupLocation.current().unified, log: log)
    baseIdentity = FileIdentity.of(path: options.place.base)
    baseCall = try BlockingCall(loop: loop)
    logCall = try BlockingCall(loop: loop)
    touchCall = try BlockingCall(loop: loop)
    signals = try SignalSource([SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGCHLD], on: loop) { [weak self] in self?.onSignal?($0) }
  }

  var pid: Int32 { getpid() }

  // MARK: Starting

  func startChild(_ type: TaskType) throws(SystemError) -> (pid: Int32, port: any SupervisorPort) {
    let path = try find(type.executable)
    var ends: [Int32] = [-1, -1]
    try SystemError.check(shim_socketpair(&ends), "socketpair")
    defer { close(ends[1]) }
    let port: FrameSupervisorPort
    do throws(SystemError) {
      port = try FrameSupervisorPort(fd: ends[0], loop: loop)
    } catch {
      close(ends[0])
      throw error
    }
    var program = program(path, ChildLaunch.arguments(runtimeDirectory: place.directory), output: STDOUT_FILENO)
    program.channel = ends[1]
    do throws(SystemError) {
      return (try groups.startDaemon(program), port)
    } catch {
      port.close()
      throw error
    }
  }

  func startResolver() throws(SystemError) -> (pid: Int32, port: any ResolverPort) {
    let path = try find("librenms-configd")
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { throw SystemError("pipe") }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    defer { close(ends[1]) }
    let port: FrameResolverPort
    do throws(SystemError) {
      port = try FrameResolverPort(fd: ends[0], loop: loop)
    } catch {
      close(ends[0])
      throw error
    }
    do throws(SystemError) {
      return (try groups.startDaemon(program(path, ["resolve"] + resolverArguments, output: ends[1])), port)
    } catch {
      port.close()
      throw error
    }
  }

  private func find(_ executable: String) throws(SystemError) -> String {
    guard let path = lookup.find(executable) else { throw SystemError("find \(executable) in \(lookup.description)", number: ENOENT) }
    return path
  }

  private func program(_ path: String, _ arguments: [String], output: Int32) -> Program {
    Program(
      path: path, arguments: arguments, environment: ScriptEnvironment.forScripts(ScriptEnvironment.current()), input: null, output: output,
      error: STDERR_FILENO)
  }

  func applyLimits(_ settings: Settings, _ resident: @escaping (_ pid: Int32, _ session: Int32) -> ControlGroupPlan.Resident)
    -> ScriptLimits
  {
    groups.classify = { $0 == getpid() ? .supervisor : resident($0, getsid($0)) }
    let directory = groups.apply(settings)
    return ScriptLimits(directory: directory, inForce: groups.inForce, notInForce: groups.notInForce)
  }

  // MARK: Ending

  func kill(_ pid: Int32) { Glibc.kill(pid, SIGKILL) }
  func killGroup(_ pid: Int32) { Glibc.kill(-pid, SIGKILL) }

  func signal(_ process: ProcessIdentity, _ number: Int32) {
    // An open descriptor keeps the pid from becoming another's between the look and the signal.
    guard let pidfd = process.open() else { return }
    defer { close(pidfd) }
    var group: Int32 = 0
    guard shim_process_stat(process.pid, nil, &group, nil, nil) == process.startTime else { return }
    if group == process.pid { Glibc.kill(-group, number) } else { _ = shim_pidfd_kill(pidfd, number) }
  }

  func nextEnded() -> EndedProcess? {
    var exit = shim_exit()
    guard shim_look_any(&exit) == 1 else { return nil }
    var group: Int32 = 0
    let process = ProcessIdentity(pid: exit.pid, startTime: shim_process_stat(exit.pid, nil, &group, nil, nil))
    return EndedProcess(process: process, group: group, status: ExitStatus(exit))
  }

  func reap(_ pid: Int32) -> Bool {
    var exit = shim_exit()
    return shim_reap_pid(pid, &exit) == 1
  }

  func nextStopped() -> Int32? {
    let pid = shim_look_stopped()
    return pid > 0 ? pid : nil
  }

  // MARK: Looking

  func isAlive(_ process: ProcessIdentity) -> Bool { process.isAlive }
  func script(pid: Int32) -> ProcessIdentity? { ProcessIdentity.script(pid: pid) }

  func jobTable(_ type: TaskType) -> JobTable? {
    JobTable.reader(path: ChildLaunch.jobTable(type, in: place.directory), place: machine)
  }
}
