import Core
import Glibc
import Simulation

@testable import Supervisor

/// The kernel of one supervisor as values: its processes are entries of a table, its children a few lines each, its files counters.
final class SimulatedSupervisorHost: SupervisorHost {
  let pid: Int32
  var base: String { "/opt/librenms" }
  var onSignal: ((Int32) -> Void)?
  private let loop: EventLoop
  let processes: SimulatedProcesses
  let manager = Manager()

  // What the children and the helper do.
  var behaviours: [TaskType: ScriptedChild.Behaviour] = [:]
  private(set) var children: [TaskType: ScriptedChild] = [:]
  private(set) var starts: [TaskType: [MonotonicTime]] = [:]
  /// What the helper reports, the last of it for each further reading too; nil: it can't be started.
  var reports: [ResolverReport]?
  private var resolver: Resolver?
  private(set) var readings = 0
  /// Real tables, in memory that outlives the children.
  private(set) var tables: [TaskType: JobTable] = [:]

  // Files.
  private(set) var touches: [MonotonicTime] = []
  private(set) var entrance: Entrance?

  /// On a machine of its own if `processes` is nil.
  init(loop: EventLoop, processes: SimulatedProcesses? = nil, tables: [TaskType: JobTable] = [:], reports: [ResolverReport]) {
    self.loop = loop
    self.processes = processes ?? SimulatedProcesses(loop: loop)
    self.tables = tables
    self.reports = reports
    let own = Own()
    pid = self.processes.start(parent: 1) { own.host?.signalled($0) }.pid
    self.processes.subreaper = pid
    own.host = self
  }

  private final class Own { weak var host: SimulatedSupervisorHost? }

  private func signalled(_ number: Int32) {
    guard number == SIGKILL else { return _ = onSignal?(number) }
    onSignal = nil
  }

  // MARK: Processes

  func startChild(_ type: TaskType) throws(SystemError) -> (pid: Int32, port: any SupervisorPort) {
    let connection = SimulatedConnection(supervisor: loop, child: loop) { [loop] in .microseconds(loop.random(in: 20...200)) }
    let process = processes.start(parent: pid) { [weak self] in self?.children[type]?.signalled($0) }
    children[type] = ScriptedChild(
      type, behaviours[type] ?? .beats, process: process, port: connection.childPort, loop: loop, processes: processes)
    starts[type, default: []].append(loop.now)
    return (process.pid, connection.supervisorPort)
  }

  func startResolver() throws(SystemError) -> (pid: Int32, port: any ResolverPort) {
    guard let reports, let report = reports.first else { throw SystemError("find librenms-configd", number: ENOENT) }
    if reports.count > 1 { self.reports?.removeFirst() }
    readings += 1
    let port = Resolver()
    let process = processes.start(parent: pid) { [weak port] _ in port?.close() }
    resolver = port
    loop.schedule(after: .milliseconds(300)) { [processes] in
      guard processes.isAlive(process) else { return }
      port.onMessage?(.report(report))
      port.onClose?(.ended(pendingBytes: 0))
      processes.end(process.pid, .exited(0))
    }
    return (process.pid, port)
  }

  func kill(_ pid: Int32) { processes.signal(pid, SIGKILL) }
  func killGroup(_ pid: Int32) { processes.signalGroup(pid, SIGKILL) }

  func signal(_ process: ProcessIdentity, _ number: Int32) { processes.signal(process, number) }

  func nextEnded() -> EndedProcess? {
    processes.nextEnded(of: pid).map { EndedProcess(process: $0.process, group: $0.group, status: $0.status) }
  }

  func reap(_ pid: Int32) -> Bool { processes.reap(pid, by: self.pid) }
  func nextStopped() -> Int32? { processes.nextStopped(of: pid) }
  func isAlive(_ process: ProcessIdentity) -> Bool { processes.isAlive(process) }
  func script(pid: Int32) -> ProcessIdentity? { processes.living(pid) }
  func jobTable(_ type: TaskType) -> JobTable? { tables[type] }

  func applyLimits(_ settings: Settings, _ resident: @escaping (_ pid: Int32, _ session: Int32) -> ControlGroupPlan.Resident)
    -> ScriptLimits
  { ScriptLimits() }

  // MARK: Places and files

  var runtimeDirectory: String { "/run/librenms-dispatcher/simulated" }
  var isRuntimeDirectoryInPlace: Bool { true }
  func restoreRuntimeDirectory() throws(RuntimePlace.Refusal) {}

  func openOperatorSocket(_ serve: @escaping OperatorService) throws(SystemError) -> any OperatorEntrance {
    let entrance = Entrance(serve)
    self.entrance = entrance
    return entrance
  }

  var baseIdentity: FileIdentity? { FileIdentity(device: 1, inode: 2) }

  func lookAtBase(_ known: FileIdentity?, _ done: @escaping (BaseLook) -> Void) -> SystemError? {
    loop.schedule(after: .milliseconds(1)) { [baseIdentity] in done(BaseLook(directory: baseIdentity)) }
    return nil
  }

  func touch(_ path: String, _ done: @escaping (SystemError?) -> Void) -> SystemError? {
    touches.append(loop.now)
    loop.schedule(after: .milliseconds(1)) { done(nil) }
    return nil
  }

  func lookAtLog(_ path: String, _ done: @escaping (LogWatchdogPolicy.Finding) -> Void) -> SystemError? {
    loop.schedule(after: .milliseconds(1)) { done(.missing("the simulation has none")) }
    return nil
  }

  var serviceManager: (any ServiceManager)? { manager }

  // MARK: Its parts

  final class Resolver: ResolverPort {
    var onMessage: ((ResolverMessage) -> Void)?
    var onClose: ((FrameChannel.Closing) -> Void)?

    func close() {
      onMessage = nil
      onClose = nil
    }
  }

  final class Entrance: OperatorEntrance {
    let serve: OperatorService
    private(set) var isInPlace = true

    init(_ serve: @escaping OperatorService) { self.serve = serve }

    func close() { isInPlace = false }
  }

  final class Manager: ServiceManager {
    let address = "@simulation"
    let watchdogInterval: Duration? = .seconds(60)
    let microseconds = 1
    /// Lines of all messages, in order.
    private(set) var heard: [String] = []
    private(set) var status = ""

    func send(_ text: String) -> SystemError? {
      for line in text.split(separator: "\n") {
        if line.hasPrefix("STATUS=") { status = String(line.dropFirst(7)) } else { heard.append(String(line)) }
      }
      return nil
    }
  }

  // MARK: Scripts

  /// A script of a type's child, in its job table and in a session of its own. It ends itself at TERM.
  func startScript(_ type: TaskType, limit: Duration?) throws -> ProcessIdentity {
    guard let child = children[type],
      let table = tables[type] ?? .anonymous(slots: 4, place: .init(bootID: "simulated", pidNamespace: 1), number: 7)
    else { throw SystemError("a script of \(type.rawValue)", number: ESRCH) }
    tables[type] = table
    let own = Script()
    let process = processes.start(parent: child.process.pid) { [processes] number in
      if number == SIGTERM, let pid = own.pid { processes.end(pid, .signalled(SIGTERM)) }
    }
    own.pid = process.pid
    let record = JobRecord(
      payload: "17", lock: "poller.device.17", owner: "simulated", group: 0, score: 1, startedAt: loop.now, startedWall: loop.wall,
      deadline: limit.map { loop.now + $0 })
    table.enterAgain(0, record, process)
    return process
  }

  private final class Script { var pid: Int32? }
}
