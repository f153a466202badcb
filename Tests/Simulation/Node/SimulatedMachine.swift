import Core
import JobKit

/// The kernel of one node: its scripts, and the files of its runtime directory, which outlive every process.
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
  public weak var witness: (any Witness)?
  /// `fork` fails with EAGAIN.
  public var refusesForks = false
  /// Percent of the memory in use.
  public var memoryUsed = 20.0

  private(set) var scripts: [Int32: SimulatedScript] = [:]
  private var tables: [TaskType: JobTable] = [:]
  private var cooldowns: [TaskType: SimulatedCooldowns] = [:]
  private var nextPid: Int32 = 100
  /// The supervisor, which is the reaper of orphans.
  public weak var reaper: SimulatedProcess?
  /// Called on the reaper's loop when a child of it may have ended.
  public var onChildSignal: () -> Void = {}
  private var zombies: [(ProcessIdentity, ExitStatus)] = []

  /// `loop`: the world's.
  public init(name: String, loop: EventLoop) {
    self.name = name
    self.loop = loop
  }

  public func newPid() -> Int32 {
    nextPid += 1
    return nextPid
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

  /// What a dying process still writes goes nowhere.
  func detachTable(_ type: TaskType) {
    if let table = tables[type] { tables[type] = JobTable.successor(of: table, slots: 1, number: 1) }
  }

  /// As the supervisor sees it.
  public func table(_ type: TaskType) -> JobTable? { tables[type] }

  var place: MachineIdentity { MachineIdentity(bootID: String(repeating: "b", count: 36), pidNamespace: 1) }

  func cooldowns(_ type: TaskType, fresh: Bool, now: MonotonicTime) -> SimulatedCooldowns {
    let store = SimulatedCooldowns(fresh ? [:] : cooldowns[type]?.cooldowns ?? [:])
    cooldowns[type] = store
    return store
  }

  // MARK: Scripts

  func start(
    _ type: TaskType, _ payload: String, deadline: MonotonicTime?, parent: SimulatedProcess, onEnd: @escaping (ExitStatus) -> Void
  ) -> SimulatedScript {
    let identity = ProcessIdentity(pid: newPid(), startTime: UInt64(max(1, loop.now.nanoseconds / 10_000_000)))
    let plan = witness?.plan(self, type, payload) ?? ScriptPlan(duration: .seconds(1))
    let script = SimulatedScript(identity, type, payload, at: loop.now, parent: parent, plan, onEnd: onEnd)
    script.deadline = deadline
    scripts[identity.pid] = script
    script.timer = loop.schedule(after: plan.duration) { [weak self, weak script] in
      guard let self, let script, script.status == nil else { return }
      script.plan.effect()
      end(script, plan.status, signal: nil)
    }
    witness?.started(self, script)
    return script
  }

  func script(_ pid: Int32) -> SimulatedScript? { scripts[pid] }

  public func signal(_ pid: Int32, _ number: Int32) {
    guard let script = scripts[pid], script.status == nil else { return }
    switch number {
    case 9: end(script, .signalled(9), signal: 9)
    case 15 where !script.plan.ignoresTerm:
      loop.schedule(after: .milliseconds(loop.random(in: 0...200))) { [weak self] in
        if script.status == nil { self?.end(script, .signalled(15), signal: 15) }
      }
    default: break
    }
  }

  private func end(_ script: SimulatedScript, _ status: ExitStatus, signal: Int32?) {
    if let timer = script.timer { loop.cancel(timer) }
    script.status = status
    witness?.ended(self, script, status, signal: signal)
    if script.parent.isAlive {
      script.parent.post { [weak self] in self?.tellParent(script, status) }
    } else {
      orphaned(script, status)
    }
    for (process, call) in script.watchers { process.post { call() } }
    script.watchers = []
  }

  private func tellParent(_ script: SimulatedScript, _ status: ExitStatus) {
    let parent = script.parent
    witness?.passed(.beforeEnd, parent)
    guard parent.isAlive else { return }
    script.onEnd?(status)
    script.onEnd = nil
    witness?.passed(.afterEnd, parent)
    if parent.isAlive { scripts[script.identity.pid] = nil }
  }

  private func orphaned(_ script: SimulatedScript, _ status: ExitStatus) {
    guard let reaper, reaper.isAlive else {
      // init reaps it, and nobody learns its status.
      scripts[script.identity.pid] = nil
      return
    }
    zombies.append((script.identity, status))
    reaper.post { [weak self] in self?.onChildSignal() }
  }

  /// The parent of these scripts is dead: their ends are the reaper's.
  func parentDied(_ parent: SimulatedProcess) {
    for script in scripts.values.sorted(by: { $0.identity.pid < $1.identity.pid }) where script.parent === parent {
      script.onEnd = nil
      if let status = script.status { orphaned(script, status) }
    }
  }

  /// The reaper is dead: what it has not reaped is init's.
  public func reaperDied() {
    for (identity, _) in zombies { scripts[identity.pid] = nil }
    zombies = []
  }

  /// Orphans that have ended, oldest first; they stay zombies until they are reaped.
  public var endedOrphans: [(process: ProcessIdentity, status: ExitStatus)] { zombies.map { ($0.0, $0.1) } }

  public func reapOrphan(_ identity: ProcessIdentity) {
    zombies.removeAll { $0.0 == identity }
    scripts[identity.pid] = nil
  }

  /// Running scripts, in the order of their pids.
  public var running: [SimulatedScript] {
    scripts.values.filter { $0.status == nil }.sorted { $0.identity.pid < $1.identity.pid }
  }
}

/// Cool-downs that outlive their child.
final class SimulatedCooldowns: CooldownStore {
  private(set) var cooldowns: [Int64: Cooldown]
  let garbage = 0

  init(_ cooldowns: [Int64: Cooldown]) { self.cooldowns = cooldowns }

  func set(_ id: Int64, _ cooldown: Cooldown) { cooldowns[id] = cooldown }
  func clear(_ id: Int64) { cooldowns[id] = nil }
}
