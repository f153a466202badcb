import Core

/// The children's job tables as the supervisor sees them: a copy for each look.
struct JobTables {
  struct Job {
    var type: TaskType
    var slot: Int
    var process: ProcessIdentity
    var record: JobRecord
    var terminatedAt: MonotonicTime?
  }

  let host: any SupervisorHost
  let loop: EventLoop

  /// Slots with a process that lives. What a slot of garbage says about deadlines and jobs is not believed.
  func running(_ type: TaskType) -> [Job] { look(type) ?? [] }

  /// The same; nil when there is no table to read.
  func look(_ type: TaskType) -> [Job]? {
    guard let table = host.jobTable(type) else { return nil }
    var jobs: [Job] = []
    for slot in 0..<table.slotCount {
      let word = table.word(slot)
      guard word.state == .running || word.state == .quarantined, word.pid > 1 else { continue }
      // Garbage, or copied while the slot was given to another job.
      guard [.whole, .unsealed].contains(table.integrity(slot)) else { continue }
      var process = table.process(slot)
      if process.startTime == 0 {
        // The process has entered itself but was not yet asked for its start time.
        guard let now = host.script(pid: word.pid) else { continue }
        process = now
      }
      guard host.isAlive(process) else { continue }
      jobs.append(
        Job(type: type, slot: slot, process: process, record: table.record(slot), terminatedAt: table.terminatedAt(slot, now: loop.now)))
    }
    return jobs
  }

  /// The processes of all slots that are not free, alive or not.
  func processes(_ type: TaskType) -> Set<ProcessIdentity> {
    guard let table = host.jobTable(type) else { return [] }
    var found: Set<ProcessIdentity> = []
    for slot in 0..<table.slotCount {
      guard let state = table.word(slot).state, state == .running || state == .quarantined else { continue }
      found.insert(table.process(slot))
    }
    return found
  }

  /// The type whose table knows this process; a start time of 0 in the table means that it was not written yet.
  func owner(of process: ProcessIdentity, among types: [TaskType]) -> TaskType? {
    types.first { type in
      let known = processes(type)
      return known.contains(process) || known.contains(ProcessIdentity(pid: process.pid, startTime: 0))
    }
  }
}
