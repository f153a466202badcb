import Core
import JobKit

/// The host of one incarnation of a child: a view of its node's machine, which ends with the child.
public final class SimulatedHost: Host {
  private static let eagain: Int32 = 11
  private static let enospc: Int32 = 28

  private let type: TaskType
  private let machine: SimulatedMachine
  private let process: SimulatedProcess
  public var directory = "/run/librenms"
  private var table: JobTable?

  public init(_ type: TaskType, _ machine: SimulatedMachine, _ process: SimulatedProcess) {
    self.type = type
    self.machine = machine
    self.process = process
    // In the middle of a turn it may go on writing.
    process.onDeath.append { [machine] in machine.detachTable(type) }
  }

  // MARK: Files that a successor finds

  public func openTable(slots: Int) throws(JobTable.Failure) -> JobTable {
    // An old file needs no room unless it has to grow.
    if machine.isFull, machine.table(type).map({ $0.slotCount < slots }) ?? true {
      throw .system(SystemError("allocate", number: Self.enospc))
    }
    guard let table = machine.openTable(type, slots: slots, number: number) else {
      throw .system(SystemError("map", number: 12))
    }
    self.table = table
    return table
  }

  private var number: UInt64 { UInt64(process.loop.random(in: 1...Int.max)) }

  public func openPrivateTable(slots: Int) -> JobTable? {
    JobTable.anonymous(slots: slots, place: machine.place, number: number)
  }

  public func endPredecessor(_ pid: Int32) -> Bool { false }
  public func isInPlace(_ table: JobTable) -> Bool { machine.table(type) === table }

  public func putInPlace(_ table: JobTable) throws(JobTable.Failure) {
    if machine.isFull { throw .system(SystemError("allocate", number: Self.enospc)) }
    machine.put(table, type)
  }

  public func openCooldowns(fresh: Bool) throws(SystemError) -> any CooldownStore {
    if machine.isFull { throw SystemError("write", number: Self.enospc) }
    return machine.openCooldowns(type, fresh: fresh)
  }

  public func isInPlace(_ cooldowns: any CooldownStore) -> Bool { true }

  // MARK: Scripts

  public func start(
    _ script: ScriptStart, in slot: (table: JobTable, index: Int, word: SlotWord), output: any ScriptOutput,
    onEnd: @escaping (ExitStatus) -> Void
  ) throws(Program.Failure) -> StartedScript {
    machine.witness?.passed(.beforeSpawn, process)
    guard process.isAlive, !machine.refusesForks else { throw .system(SystemError("fork", number: Self.eagain)) }
    let record = slot.table.record(slot.index)
    let started = machine.start(
      type, record.payload.isEmpty ? "group \(record.group)" : record.payload, deadline: record.deadline, parent: process, onEnd: onEnd)
    guard slot.table.enter(slot.index, from: slot.word, started.identity) else { throw .aborted }
    machine.witness?.passed(.afterSpawn, process)
    return StartedScript(identity: started.identity, watch: Watch(machine, started.identity.pid, process))
  }

  public func watch(_ identity: ProcessIdentity, onGone: @escaping () -> Void) throws(SystemError) -> (any ScriptWatch)? {
    if let script = machine.script(identity) {
      script.watchers.append((process, onGone))
    } else if machine.processes.find(identity.pid)?.process == identity {
      // A zombie.
      process.post { onGone() }
    } else {
      return nil
    }
    return Watch(machine, identity.pid, process)
  }

  private final class Watch: ScriptWatch {
    let machine: SimulatedMachine
    let pid: Int32
    let process: SimulatedProcess

    init(_ machine: SimulatedMachine, _ pid: Int32, _ process: SimulatedProcess) {
      self.machine = machine
      self.pid = pid
      self.process = process
    }

    func signalGroup(_ number: Int32) { if process.isAlive { machine.processes.signalGroup(pid, number) } }
  }

  public func script(pid: Int32) -> ProcessIdentity? { machine.processes.living(pid) }

  public func isAlive(_ identity: ProcessIdentity) -> Bool { machine.processes.isAlive(identity) }

  /// Its scripts leave nothing in their groups.
  public func killGroup(of identity: ProcessIdentity) {}

  private final class Output: ScriptOutput {
    let isInPlace = true
    func drain() {}
  }

  public func openOutput(
    slot: Int, writer: Int32?, onBytes: @escaping (UnsafeRawBufferPointer) -> Void
  ) throws(SystemError) -> any ScriptOutput { Output() }

  // MARK: Limits and memory

  public func useGroup(_ directory: String?) throws(SystemError) {}
  public var memoryKills: MemoryKills? { nil }
  public func readMemory() -> MemoryReading? { MemoryReading(used: machine.memoryUsed, place: "this machine") }
  public func canUse(_ directory: String) -> Bool { true }

  public func lookAtFiles(_ check: ScriptFilesCheck, _ done: @escaping ([ScriptFilesCheck.Problem]) -> Void) -> SystemError? {
    process.post(after: .milliseconds(5)) { done([]) }
    return nil
  }
}
