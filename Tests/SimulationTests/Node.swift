import Core
import Glibc
import JobKit
import Logging
import Simulation

@testable import AlertingProc
@testable import BillingProc
@testable import DiscoveryProc
@testable import MaintenanceProc
@testable import PingProc
@testable import PollerProc
@testable import ServicesProc
@testable import Supervisor

/// One node: a machine, the product's supervisor on it, and the product's children below.
final class Node {
  static let types: [TaskType: any SchedulerType] = [
    .poller: PollerType(), .discovery: DiscoveryType(), .services: ServicesType(), .ping: PingType(), .alerting: AlertingType(),
    .billing: BillingType(), .maintenance: MaintenanceType(),
  ]

  let index: Int
  let machine: SimulatedMachine
  let wall: WallOffset
  unowned let world: World
  var settings: Settings
  /// All processes of the machine but scripts stand still.
  var isFrozen = false { didSet { if isFrozen { frozenCount += 1 } } }
  private(set) var frozenCount = 0
  /// What the configuration helper does.
  var resolver = ResolverMood.well
  fileprivate var helper: ProcessIdentity?
  /// Whatever looks into the base directory does not return.
  var baseHangs = false
  private(set) var process: SimulatedProcess?
  private(set) var supervisor: Supervisor?
  private(set) var children: [TaskType: Child] = [:]
  /// The service was asked to stop and has ended with this code.
  private(set) var exitCode: Int32?
  private var host: NodeHost?
  private var isStopping = false

  enum ResolverMood: Equatable { case well, dies, writesGarbage, hangs, waits }

  final class Child {
    let process: SimulatedProcess
    let port: SimulatedChildPort
    let path: SimulatedRedisPath
    var runtime: ChildRuntime?

    init(_ process: SimulatedProcess, _ port: SimulatedChildPort, _ path: SimulatedRedisPath) {
      self.process = process
      self.port = port
      self.path = path
    }
  }

  init(_ index: Int, _ world: World, _ settings: Settings) {
    self.index = index
    self.world = world
    self.settings = settings
    wall = WallOffset(world.wall.value)
    machine = SimulatedMachine(name: settings.pollerName, loop: world.loop)
    machine.witness = world
  }

  var isUp: Bool { process?.isAlive ?? false }

  /// systemd starts the service.
  func start() {
    guard !isUp else { return }
    exitCode = nil
    isStopping = false
    let process = SimulatedProcess(name: "\(machine.name)/supervisor", parent: 1, loop: world.makeLoop(wall), processes: machine.processes)
    machine.processes.subreaper = process.pid
    let host = NodeHost(self, process)
    self.host = host
    self.process = process
    var options = Supervisor.Options()
    options.log = world.logger(process.name)
    let supervisor = Supervisor(loop: process.loop, host: host, options)
    supervisor.onEnd = { [weak self, weak process] code in
      self?.exitCode = code
      process?.exit(code)
    }
    process.onDeath.append { [weak self] in
      // Its descriptors close with it.
      if let supervisor = self?.supervisor { self?.world.retain(supervisor) }
      self?.supervisor = nil
      self?.host = nil
    }
    self.supervisor = supervisor
    world.add(process, self)
    process.post { [weak supervisor] in supervisor?.start() }
  }

  /// Once: a second signal ends scripts.
  func stop() {
    guard let process, process.isAlive, !isStopping else { return }
    isStopping = true
    machine.processes.signal(process.pid, SIGTERM)
  }
  func reload() { if let process { machine.processes.signal(process.pid, SIGHUP) } }
  func kill() { process?.kill() }

  /// As the file that names it was copied from another node; nil: it has its own names again.
  func takeNames(of other: Node?) {
    let own = world.scenario.nodes[other?.index ?? index]
    settings.nodeID = own.nodeID
    settings.pollerName = own.pollerName
    reload()
  }

  /// An admin ends a helper that hangs.
  func killHelper() { if let helper, machine.processes.isAlive(helper) { machine.processes.signal(helper.pid, SIGKILL) } }

  /// A person's request over the operator socket; false = there is nobody who listens. `answer` is called by a living supervisor only.
  func ask(_ request: OperatorRequest, _ answer: @escaping (OperatorReply) -> Void) -> Bool {
    guard let process, process.isAlive, let serve = host?.operatorService else { return false }
    process.post { serve(request, answer) }
    return true
  }

  fileprivate func startChild(_ type: TaskType, parent: SimulatedProcess) throws(SystemError) -> (pid: Int32, port: any SupervisorPort) {
    guard let schedulerType = Self.types[type] else { throw SystemError("find \(type.executable)", number: ENOENT) }
    guard !machine.refusesForks else { throw SystemError("fork", number: EAGAIN) }
    let process = SimulatedProcess(
      name: "\(machine.name)/\(type.rawValue)", parent: parent.pid, loop: world.makeLoop(wall), processes: machine.processes)
    let connection = SimulatedConnection(supervisor: parent.loop, child: process.loop)
    let path = SimulatedRedisPath(to: world.redis, loop: process.loop)
    let child = Child(process, connection.childPort, path)
    let host = SimulatedHost(type, machine, process)
    let log = world.logger(process.name)
    let surroundings = ChildRuntime.Surroundings(
      loop: process.loop, port: connection.childPort, host: host, log: log, pid: process.pid, applyToLog: { _ in },
      makeDatabase: { [unowned world] settings in
        world.database.client(settings, of: process, log: log)
      },
      makeLink: { path.makeLink(settings: $0, name: type.executable, log: log) },
      makeDuty: {
        var surroundings = $0
        surroundings.machineLoad = { 0.5 }
        return type == .maintenance ? NodeDuty(surroundings) : nil
      })
    let runtime = ChildRuntime(schedulerType, surroundings) { [weak process] in process?.exit($0) }
    child.runtime = runtime
    process.onDeath.append { [weak self, weak child] in
      guard let self, let child else { return }
      child.path.die()
      child.port.close()
      child.runtime = nil
      if children[type] === child { children[type] = nil }
      world.retain(child)
    }
    children[type] = child
    world.add(process, self)
    // It has to be loaded and to come up.
    process.post(after: .milliseconds(world.dice(3...30))) { [weak runtime] in runtime?.hello() }
    return (process.pid, connection.supervisorPort)
  }
}

/// The supervisor's kernel.
final class NodeHost: SupervisorHost {
  private unowned let node: Node
  private let process: SimulatedProcess
  private var processes: SimulatedProcesses { node.machine.processes }
  private let manager = Manager()

  init(_ node: Node, _ process: SimulatedProcess) {
    self.node = node
    self.process = process
  }

  var pid: Int32 { process.pid }
  var base: String { node.settings.base }
  var onSignal: ((Int32) -> Void)? {
    didSet { process.onSignal = { [weak self] in self?.onSignal?($0) } }
  }

  func startChild(_ type: TaskType) throws(SystemError) -> (pid: Int32, port: any SupervisorPort) {
    try node.startChild(type, parent: process)
  }

  func startResolver() throws(SystemError) -> (pid: Int32, port: any ResolverPort) {
    guard !node.machine.refusesForks else { throw SystemError("fork", number: EAGAIN) }
    let port = Resolver()
    var pid: Int32 = 0
    // By whatever it is ended: its end of the pipe closes with it.
    let helper = processes.start(parent: self.pid) { [processes, process, weak port] number in
      guard number == SIGKILL || number == SIGTERM else { return }
      processes.end(pid, .signalled(number))
      process.post { [weak port] in port?.onClose?(.ended(pendingBytes: 0)) }
    }
    pid = helper.pid
    node.helper = helper
    // Its reader is gone.
    process.onDeath.append { [processes] in processes.end(helper.pid, .exited(0)) }
    work(helper, port)
    return (helper.pid, port)
  }

  private func work(_ helper: ProcessIdentity, _ port: Resolver) {
    process.post(after: .milliseconds(node.world.dice(200...600))) { [processes, node] in
      guard processes.isAlive(helper) else { return }
      switch node.resolver {
      case .well: port.onMessage?(.report(.resolved(settings: node.settings, entries: [], notes: [])))
      case .dies: break
      case .writesGarbage: port.onMessage?(.garbage(bytes: 77))
      case .hangs: return
      case .waits:
        port.onMessage?(.report(.waiting(reason: "the database is away")))
        return self.work(helper, port)
      }
      port.onClose?(.ended(pendingBytes: 0))
      processes.end(helper.pid, node.resolver == .dies ? .signalled(SIGSEGV) : .exited(0))
    }
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
  func jobTable(_ type: TaskType) -> JobTable? { node.machine.table(type) }

  func applyLimits(_ settings: Settings, _ resident: @escaping (_ pid: Int32, _ session: Int32) -> ControlGroupPlan.Resident)
    -> ScriptLimits
  { ScriptLimits() }

  // MARK: Places and files

  var runtimeDirectory: String { "/run/librenms" }
  var isRuntimeDirectoryInPlace: Bool { true }
  func restoreRuntimeDirectory() throws(RuntimePlace.Refusal) {}

  private(set) var operatorService: OperatorService?

  func openOperatorSocket(_ serve: @escaping OperatorService) throws(SystemError) -> any OperatorEntrance {
    operatorService = serve
    return Entrance()
  }

  var baseIdentity: FileIdentity? { FileIdentity(device: 1, inode: 2) }

  func lookAtBase(_ known: FileIdentity?, _ done: @escaping (BaseLook) -> Void) -> SystemError? {
    inBase { done(BaseLook(directory: FileIdentity(device: 1, inode: 2))) }
    return nil
  }

  func touch(_ path: String, _ done: @escaping (SystemError?) -> Void) -> SystemError? {
    inBase { done(nil) }
    return nil
  }

  func lookAtLog(_ path: String, _ done: @escaping (LogWatchdogPolicy.Finding) -> Void) -> SystemError? {
    inBase { done(.missing("the simulation has none")) }
    return nil
  }

  /// When the file system answers.
  private func inBase(_ done: @escaping () -> Void) {
    process.post(after: .milliseconds(node.baseHangs ? 500 : 1)) { [node] in node.baseHangs ? self.inBase(done) : done() }
  }

  var serviceManager: (any ServiceManager)? { manager }

  private final class Resolver: ResolverPort {
    var onMessage: ((ResolverMessage) -> Void)?
    var onClose: ((FrameChannel.Closing) -> Void)?

    func close() {
      onMessage = nil
      onClose = nil
    }
  }

  private final class Entrance: OperatorEntrance {
    let isInPlace = true
    func close() {}
  }

  private final class Manager: ServiceManager {
    let address = "@simulation"
    let watchdogInterval: Duration? = .seconds(60)
    let microseconds = 1
    func send(_ text: String) -> SystemError? { nil }
  }
}
