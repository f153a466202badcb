import Core

/// A worker slot of the engine: where its job stands (`SlotMachine`), and what the engine holds for it meanwhile.
final class JobSlot {
  let index: Int
  /// Changed by `JobEngine.send` alone, which carries out what the machine answers.
  var machine = SlotMachine()
  var startedAt = MonotonicTime(nanoseconds: 0)
  var deadline: MonotonicTime?
  var watch: (any ScriptWatch)?
  var adopted = false
  var output: (any ScriptOutput)?
  /// Who had been killed for memory in the scripts' group when this one began.
  var killsBefore: MemoryKills?
  var tail = OutputTail()
  var splitter = LineSplitter()

  init(index: Int) { self.index = index }

  var phase: SlotMachine.Phase { machine.phase }
  var job: TakenJob? { machine.job }
  var identity: ProcessIdentity? { machine.process }

  /// What contradicts the state; nil = nothing. Asked after every event.
  var contradiction: String? {
    if watch != nil, phase != .running { return "it watches a process" }
    if phase == .free, deadline != nil || adopted || killsBefore != nil { return "it still has the data of a job" }
    if let job, job.slot != index { return "its job belongs to slot \(job.slot)" }
    return nil
  }

  /// Forgets the job that was here; the pipe stays, for the next one.
  func clear() {
    deadline = nil
    watch = nil
    adopted = false
    killsBefore = nil
    tail.clear()
  }
}
