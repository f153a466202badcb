import Glibc
import JobKit

@testable import Core

/// One node's kernel and disk: its processes, its scripts, and the files of its runtime directory, which outlive every process.
///
/// It lives on the world's loop; what a process is to hear is posted to that process.
public final class SimulatedMachine {
  /// Who decides what scripts do and hears what becomes of them.
  public protocol Witness: AnyObject {
    func plan(_ machine: SimulatedMachine, _ type: TaskType, _ payload: String) -> ScriptPlan
    func started(_ machine: SimulatedMachine, _ script: SimulatedScript)
    /// `signal`: what ended it, if it did not end by itself.
    func ended(_ machine: SimulatedMachine, _ script: SimulatedScript, _ status: ExitStatus, signal: Int32?)
    /// A moment at which a child may be killed.
    func passed(_ point: KillPoint, _ child: SimulatedProcess)
  }

  /// Instructions between two steps that a kill must not tear.
  public enum KillPoint: CaseIterable, Sendable {
    /// The job is in the table, its process is not started.
    case beforeSpawn
    /// The process runs; its parent has not heard of it.
    case afterSpawn
    /// The script is a zombie, and its end is not noted.
    case beforeEnd
    /// Its end is noted and judged, and it is not reaped.
    case afterEnd
  }

  public let name: String
  public let loop: EventLoop
  public let processes: SimulatedProcesses
  public weak var witness: (any Witness)?
  /// `fork` fails with EAGAIN.
  public var refusesForks = false
  /// Percent of the memory in use.
  public var memoryUsed = 20.0
  /// The runtime directory takes no new file and no longer one.
  public var isFull = false

  private var scripts: [Int32: SimulatedScript] = [:]
  private var tables: [TaskType: JobTable] = [:]
  private var cooldowns: [TaskType: SimulatedCooldowns] = [:]

  /// `loop`: the world's.
  public init(name: String, loop: EventLoop) {
    self.name = name
    self.loop = loop
    processes = SimulatedProcesses(loop: loop)
  }

  // MARK: Files

  func openTable(_ type: TaskType, slots: Int, number: UInt64) -> JobTable? {
    let table: JobTable?
    if let found = tables[type] {
      table = JobTable.successor(of: found, slots: slots, number: number)
    } else {
      table = JobTable.anonymous(slots: slots, place: place, number: number)
    }
    tables[type] = table
    return table
  }

  func put(_ table: JobTable, _ type: TaskType) { tables[type] = table }

  /// What a dying process still writes goes nowhere.
  func detachTable(_ type: TaskType) {
    if let table = tables[type] { tables[type] = JobTable.successor(of: table, slots: 1, number: 1) }
  }

  /// Somebody writes random bytes over the type's file while no child has it: over two thirds of the slots, and sometimes over the header.
  /// Scripts that would run for ever stay known, since nobody can end a process for what garbage says of it.
  public func damageTable(_ type: TaskType) {
    guard let table = tables[type] else { return }
    func fill(_ start: Int, _ count: Int) {
      for place in start..<start + count { table.base.storeBytes(of: UInt8(loop.random(in: 0...255)), toByteOffset: place, as: UInt8.self) }
    }
    for slot in 0..<table.slotCount where loop.random(in: 0...2) > 0 {
      if let script = scripts[table.word(slot).pid], script.plan.duration > .seconds(1000) { continue }
      fill(JobTableLayout.headerSize + slot * JobTableLayout.slotSize, JobTableLayout.slotSize)
    }
    if loop.random(in: 0...3) == 0 { fill(0, 200) }
  }

  /// As the supervisor sees it.
  public func table(_ type: TaskType) -> JobTable? { tables[type] }

  /// After a reboot.
  public func forgetFiles() {
    tables = [:]
    cooldowns = [:]
  }

  var place: MachineIdentity { MachineIdentity(bootID: String(repeating: "b", count: 36), pidNamespace: 1) }

  func openCooldowns(_ type: TaskType, fresh: Bool) -> SimulatedCooldowns {
    let store = SimulatedCooldowns(fresh ? [:] : cooldowns[type]?.cooldowns ?? [:])
    cooldowns[type] = store
    return store
  }

  // MARK: Scripts

  func start(
    _ type: TaskType, _ payload: String, deadline: MonotonicTime?, parent: SimulatedProcess, onEnd: @escaping (ExitStatus) -> Void
  ) -> SimulatedScript {
    let plan = witness?.plan(self, type, payload) ?? ScriptPlan(duration: .seconds(1))
    let script = SimulatedScript(type, payload, at: loop.now, deadline: deadline, parent: parent, plan, onEnd: onEnd)
    script.identity = processes.start(parent: parent.pid) { [weak self, weak script] in
      if let script { self?.signalled(script, $0) }
    }
    scripts[script.identity.pid] = script
    finish(script, after: plan.duration)
    witness?.started(self, script)
    return script
  }

  private func finish(_ script: SimulatedScript, after duration: Duration) {
    script.timer = loop.schedule(after: duration) { [weak self, weak script] in
      guard let self, let script, script.status == nil else { return }
      if let status = script.plan.effect(script.plan.status) {
        end(script, status, signal: nil)
      } else {
        finish(script, after: .milliseconds(500))
      }
    }
  }

  func script(_ identity: ProcessIdentity) -> SimulatedScript? { scripts[identity.pid].flatMap { $0.identity == identity ? $0 : nil } }

  private func signalled(_ script: SimulatedScript, _ number: Int32) {
    guard script.status == nil else { return }
    switch number {
    case SIGKILL: end(script, .signalled(SIGKILL), signal: SIGKILL)
    case SIGTERM where !script.plan.ignoresTerm:
      loop.schedule(after: .milliseconds(loop.random(in: 0...200))) { [weak self] in
        if script.status == nil { self?.end(script, .signalled(SIGTERM), signal: SIGTERM) }
      }
    default: break
    }
  }

  private func end(_ script: SimulatedScript, _ status: ExitStatus, signal: Int32?) {
    if let timer = script.timer { loop.cancel(timer) }
    script.status = status
    scripts[script.identity.pid] = nil
    witness?.ended(self, script, status, signal: signal)
    // A zombie, unless it is one already by a KILL.
    processes.end(script.identity.pid, status)
    script.parent.post { [weak self] in self?.tellParent(script, status) }
    for (process, call) in script.watchers { process.post { call() } }
    script.watchers = []
  }

  private func tellParent(_ script: SimulatedScript, _ status: ExitStatus) {
    let parent = script.parent
    witness?.passed(.beforeEnd, parent)
    guard parent.isAlive else { return }
    script.onEnd(status)
    witness?.passed(.afterEnd, parent)
    if parent.isAlive { _ = processes.reap(script.identity.pid, by: parent.pid) }
  }

  /// Running scripts, in the order of their pids.
  public var running: [SimulatedScript] { scripts.values.sorted { $0.identity.pid < $1.identity.pid } }
}

/// Cool-downs that outlive their child.
final class SimulatedCooldowns: CooldownStore {
  private(set) var cooldowns: [Int64: Cooldown]
  let garbage = 0

  init(_ cooldowns: [Int64: Cooldown]) { self.cooldowns = cooldowns }

  func set(_ id: Int64, _ cooldown: Cooldown) { cooldowns[id] = cooldown }
  func clear(_ id: Int64) { cooldowns[id] = nil }
}
