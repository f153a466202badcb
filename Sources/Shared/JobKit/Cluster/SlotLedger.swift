import Core

/// What the coordinator has under way for each slot of the job table: events in, actions out.
///
/// Of a slot two things are known. Its use: idle, taking (a take is sent and not answered), held (its job has a lock, which is renewed at
/// `renewAt`). And how many ends of its jobs are sent and not answered: until then a note that the server shows for the slot says
/// nothing. They are a counter beside the use, since they overlap: a slot whose job was put back takes again before the answer. Ends that
/// the server could not be told are owed, in their order.
///
/// | event                | idle          | taking             | held                          |
/// |----------------------|---------------|--------------------|-------------------------------|
/// | takeBegins           | taking        | –                  | –                             |
/// | takeFound            | –             | held, or ending +1 | –                             |
/// | acquired             | –             | held               | –                             |
/// | takeFailed           | –             | idle               | –                             |
/// | adopted              | held          | –                  | held                          |
/// | renewed              | idle          | taking             | held until later, if the same |
/// | end                  | ending +1 or owed in each, the slot idle; – while taking           |
/// | endAnswered          | ending −1, with `owing` owed, in each                              |
/// | noteFound            | put back, unless ending | keep     | keep, if it is this job       |
/// – is a fault of the caller, and a precondition.
struct SlotLedger: Equatable {
  enum Use: Equatable {
    case idle
    case taking
    case held(TakenJob, renewAt: MonotonicTime)
  }

  /// An end that the server has to be told: the lock is deleted, or kept until `until`.
  struct End: Equatable {
    var job: TakenJob
    var until: MonotonicTime?
  }

  enum TakeAction: Equatable {
    case start
    /// Another slot runs a job under the lock: it was gone, and so the job was handed out again. The lock goes back to that job; the end
    /// of the duplicate counts as sent.
    case giveBack(to: TakenJob)
  }

  enum EndAction: Equatable {
    case send
    case owe
  }

  enum NoteAction: Equatable {
    case keep
    /// The job was taken and reached no slot.
    case putBack
  }

  private struct Slot: Equatable {
    var use = Use.idle
    var ending = 0
  }

  private var slots: [Int: Slot] = [:]
  private(set) var takesUnderWay = 0
  private(set) var owed: [End] = []

  func use(of slot: Int) -> Use { slots[slot]?.use ?? .idle }
  func ending(_ slot: Int) -> Int { slots[slot]?.ending ?? 0 }

  // MARK: Taking

  mutating func takeBegins(_ slot: Int) {
    precondition(use(of: slot) == .idle, "slot \(slot) takes while it is in use")
    set(slot, .taking)
  }

  mutating func takeFound(_ job: TakenJob, renewAt: MonotonicTime) -> TakeAction {
    precondition(use(of: job.slot) == .taking, "slot \(job.slot) was given a job that it did not ask for")
    if let running = running(under: job.lock) {
      set(job.slot, .idle)
      slots[job.slot, default: Slot()].ending += 1
      return .giveBack(to: running)
    }
    set(job.slot, .held(job, renewAt: renewAt))
    return .start
  }

  /// The same for a lock that was asked for by its name: whoever has it under this owner is replaced.
  mutating func acquired(_ job: TakenJob, renewAt: MonotonicTime) {
    precondition(use(of: job.slot) == .taking, "slot \(job.slot) was given a lock that it did not ask for")
    set(job.slot, .held(job, renewAt: renewAt))
  }

  /// There was nothing, or no answer.
  mutating func takeFailed(_ slot: Int) {
    precondition(use(of: slot) == .taking, "slot \(slot) was answered what it did not ask")
    set(slot, .idle)
  }

  // MARK: Holding

  /// A predecessor's job: its lock is renewed next.
  mutating func adopted(_ job: TakenJob, at now: MonotonicTime) {
    precondition(use(of: job.slot) != .taking, "slot \(job.slot) takes and has a job")
    set(job.slot, .held(job, renewAt: now))
  }

  /// A renewal was sent for these jobs; those that ended meanwhile have nothing to renew.
  mutating func renewed(_ jobs: [TakenJob], renewAt: MonotonicTime) {
    for job in jobs {
      if case .held(job, _) = use(of: job.slot) { set(job.slot, .held(job, renewAt: renewAt)) }
    }
  }

  /// Jobs that have a lock, by slot: an order that does not differ from run to run.
  var held: [TakenJob] { jobs { _ in true } }
  /// Those whose renewal is due.
  func due(at now: MonotonicTime) -> [TakenJob] { jobs { $0 <= now } }

  private func jobs(_ matches: (MonotonicTime) -> Bool) -> [TakenJob] {
    let found: [TakenJob] = slots.values.compactMap { slot in
      if case .held(let job, let renewAt) = slot.use, matches(renewAt) { job } else { nil }
    }
    return found.sorted { $0.slot < $1.slot }
  }

  private func running(under lock: String) -> TakenJob? {
    let found: [TakenJob] = slots.values.compactMap { slot in
      if case .held(let job, _) = slot.use, job.lock == lock { job } else { nil }
    }
    return found.min { $0.slot < $1.slot }
  }

  // MARK: Ending

  /// The job is over, or goes back to its queue (`end` nil: nothing is owed then). `canSend`: the server takes what this node says.
  mutating func end(_ job: TakenJob, owing end: End?, canSend: Bool) -> EndAction {
    precondition(use(of: job.slot) != .taking, "the job of slot \(job.slot) ends while it takes")
    set(job.slot, .idle)
    guard canSend else {
      if let end { owed.append(end) }
      return .owe
    }
    slots[job.slot, default: Slot()].ending += 1
    return .send
  }

  /// The server has answered an end; `owing`: it could not be told.
  mutating func endAnswered(_ slot: Int, owing end: End?) {
    precondition(ending(slot) > 0, "an end of slot \(slot) was answered and none is under way")
    slots[slot]?.ending -= 1
    forget(slot)
    if let end { owed.append(end) }
  }

  /// The server takes again what this node says: what is owed counts as sent.
  mutating func sendOwed() -> [End] {
    let ends = owed
    owed = []
    for end in ends { slots[end.job.slot, default: Slot()].ending += 1 }
    return ends
  }

  /// The server has a job noted as in flight for a slot.
  func noteFound(_ job: TakenJob) -> NoteAction {
    switch use(of: job.slot) {
    case .taking: .keep
    case .held(let mine, _) where mine.owner == job.owner && mine.lock == job.lock: .keep
    case .idle, .held: ending(job.slot) > 0 ? .keep : .putBack
    }
  }

  // MARK: Keeping count

  private mutating func set(_ slot: Int, _ use: Use) {
    let before = self.use(of: slot)
    takesUnderWay += (use == .taking ? 1 : 0) - (before == .taking ? 1 : 0)
    slots[slot, default: Slot()].use = use
    forget(slot)
  }

  /// What is not there is idle with nothing under way.
  private mutating func forget(_ slot: Int) {
    if slots[slot] == Slot() { slots[slot] = nil }
  }
}
