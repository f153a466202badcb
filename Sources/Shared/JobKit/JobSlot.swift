import Core

/// A worker slot of the engine: which job it has and where that job stands.
final class JobSlot {
  enum Phase {
    case free
    /// A `take` or the check under the lock is under way.
    case reserved
    /// A script runs, ours or a predecessor's.
    case running
    /// A predecessor's script has entered itself into the table, but not its start time yet.
    case identifying
    /// A predecessor's script ended and its status is not known yet.
    case unresolved
    /// Its end is judged, and its lock is being released.
    case releasing
    /// Not used: adopting it killed two incarnations, or the table holds garbage or a later version's job there. With an identity it is
    /// looked at again until that process is gone.
    case quarantined
  }

  let index: Int
  var phase = Phase.free
  var job: TakenJob?
  var startedAt = MonotonicTime(nanoseconds: 0)
  var deadline: MonotonicTime?
  var watch: (any ScriptWatch)?
  var identity: ProcessIdentity?
  var adopted = false
  var output: (any ScriptOutput)?
  /// Who had been killed for memory in the scripts' group when this one began.
  var killsBefore: MemoryKills?
  var tail = OutputTail()
  var splitter = LineSplitter()

  init(index: Int) { self.index = index }

  func reset() {
    phase = .free
    job = nil
    deadline = nil
    watch = nil
    identity = nil
    adopted = false
    killsBefore = nil
    tail.clear()
  }
}
