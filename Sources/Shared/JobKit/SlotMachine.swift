import Core

/// The life of one worker slot, decided without knowing how: events in, actions out. `JobEngine.send` carries the actions out.
///
/// ```
/// free → taking → checking → starting → running → releasing → free          a job of this process
/// free → identifying → running → unresolved → releasing → free              a script that a predecessor left
/// free, identifying → quarantined → releasing or free                       a slot that can't be used until a process is gone
/// ```
///
/// A state owns what is known in it, so a job or a process without its state does not exist. Every event is answered in every state: what may come
/// late (a second notice of an end, an answer about a lock) changes nothing, and what only a defect of the engine can bring is `.violation`.
struct SlotMachine: Equatable, Sendable {
  enum State: Equatable, Sendable {
    case free
    /// The queue was asked for a job; its answer is not here yet.
    case taking
    /// The job and its lock are ours; whether it should still run is being found out.
    case checking(TakenJob)
    /// The job is in the table, its process is not there yet.
    case starting(TakenJob)
    /// A predecessor's script: in the table, but its start time is not known yet.
    case identifying(TakenJob)
    /// A script runs, ours or a predecessor's.
    case running(TakenJob, ProcessIdentity)
    /// A predecessor's script has ended, and its status is not known yet.
    case unresolved(TakenJob, ProcessIdentity)
    /// The end is judged, and the lock is being released. Until that is answered a successor has to find the job in the table.
    case releasing(TakenJob)
    /// Not used: adopting it killed two incarnations, or the table holds garbage or a later version's job there. With a process it is looked at
    /// again until that is gone.
    case quarantined(TakenJob?, ProcessIdentity?)
  }

  /// A state without its data.
  enum Phase: CaseIterable, Sendable {
    case free, taking, checking, starting, identifying, running, unresolved, releasing, quarantined

    /// A job is on its way into the slot and has no script yet.
    var isPending: Bool {
      switch self {
      case .taking, .checking, .starting: true
      case .free, .identifying, .running, .unresolved, .releasing, .quarantined: false
      }
    }

    /// The slot has a script, or one whose end is not settled yet: a drain waits for it.
    var hasScript: Bool {
      switch self {
      case .identifying, .running, .unresolved, .releasing: true
      case .free, .taking, .checking, .starting, .quarantined: false
      }
    }
  }

  enum Event: Equatable, Sendable {
    /// A free slot is to get a job.
    case take
    case nothingTaken
    case taken(TakenJob)
    /// The job should not run now; its lock is kept for `hold`.
    case skipped(hold: Duration?)
    /// The job is in the table.
    case entered
    case started(ProcessIdentity)
    /// The job did not get to run, and not by its own fault: it goes back into the queue.
    case postponed
    /// Adoption found a predecessor's job in the table.
    case found(TakenJob)
    case identified(ProcessIdentity)
    /// The watched process of a predecessor is gone.
    case gone
    /// The end is judged; the lock is kept for `hold`.
    case judged(hold: Duration?)
    /// The release of the lock was answered.
    case released
    /// The slot can't be used, for as long as this process lives.
    case setAside(ProcessIdentity?)
    /// What kept a slot without a job from being used is gone.
    case vacated
  }

  enum Action: Equatable, Sendable {
    case askQueue
    case check(TakenJob)
    /// The lock of a predecessor's job is ours from now on.
    case keepLock(TakenJob)
    /// The supervisor, or else the database, knows how the process ended.
    case findStatus(ProcessIdentity)
    case stopWatching
    /// Empties the slot of the table.
    case freeEntry
    /// Forgets what belonged to the job: its output, its times.
    case clear
    case putBack(TakenJob)
    /// The lock of a job that is not in the table ends now or after `hold`; nothing waits for the answer.
    case finish(TakenJob, hold: Duration?)
    /// The same for a job in the table; the answer is `released`.
    case release(TakenJob, hold: Duration?)
    /// Somebody waits for free slots.
    case announceFree
    /// The engine contradicts itself. Nothing has changed.
    case violation
  }

  private(set) var state = State.free

  var phase: Phase {
    switch state {
    case .free: .free
    case .taking: .taking
    case .checking: .checking
    case .starting: .starting
    case .identifying: .identifying
    case .running: .running
    case .unresolved: .unresolved
    case .releasing: .releasing
    case .quarantined: .quarantined
    }
  }

  var job: TakenJob? {
    switch state {
    case .free, .taking: nil
    case .checking(let job), .starting(let job), .identifying(let job), .releasing(let job): job
    case .running(let job, _), .unresolved(let job, _): job
    case .quarantined(let job, _): job
    }
  }

  /// The process that the slot stands for while its end is not judged.
  var process: ProcessIdentity? {
    switch state {
    case .free, .taking, .checking, .starting, .identifying, .releasing: nil
    case .running(_, let process), .unresolved(_, let process): process
    case .quarantined(_, let process): process
    }
  }

  mutating func handle(_ event: Event) -> [Action] {
    switch state {
    case .free: inFree(event)
    case .taking: inTaking(event)
    case .checking(let job): inChecking(event, job)
    case .starting(let job): inStarting(event, job)
    case .identifying(let job): inIdentifying(event, job)
    case .running(let job, let process): inRunning(event, job, process)
    case .unresolved(let job, _): inUnresolved(event, job)
    case .releasing: inReleasing(event)
    case .quarantined(let job, _): inQuarantined(event, job)
    }
  }

  private mutating func go(_ next: State, _ actions: Action...) -> [Action] {
    state = next
    return actions
  }

  private mutating func inFree(_ event: Event) -> [Action] {
    switch event {
    case .take: go(.taking, .askQueue)
    case .found(let job): go(.identifying(job), .keepLock(job))
    case .setAside(let process): go(.quarantined(nil, process))
    case .gone, .released: []
    case .nothingTaken, .taken, .skipped, .entered, .started, .postponed, .identified, .judged, .vacated: [.violation]
    }
  }

  private mutating func inTaking(_ event: Event) -> [Action] {
    switch event {
    case .nothingTaken: go(.free, .clear)
    case .taken(let job): go(.checking(job), .check(job))
    case .gone, .released: []
    case .take, .skipped, .entered, .started, .postponed, .found, .identified, .judged, .setAside, .vacated: [.violation]
    }
  }

  private mutating func inChecking(_ event: Event, _ job: TakenJob) -> [Action] {
    switch event {
    case .entered: go(.starting(job))
    case .skipped(let hold): go(.free, .finish(job, hold: hold), .clear)
    case .postponed: go(.free, .clear, .putBack(job))
    // Its names are too long for the table.
    case .judged(let hold): go(.releasing(job), .stopWatching, .release(job, hold: hold))
    case .gone, .released: []
    case .take, .nothingTaken, .taken, .started, .found, .identified, .setAside, .vacated: [.violation]
    }
  }

  private mutating func inStarting(_ event: Event, _ job: TakenJob) -> [Action] {
    switch event {
    case .started(let process): go(.running(job, process))
    case .postponed: go(.free, .freeEntry, .clear, .putBack(job))
    case .gone, .released: []
    case .take, .nothingTaken, .taken, .skipped, .entered, .found, .identified, .judged, .setAside, .vacated: [.violation]
    }
  }

  private mutating func inIdentifying(_ event: Event, _ job: TakenJob) -> [Action] {
    switch event {
    case .identified(let process): go(.running(job, process))
    case .judged(let hold): go(.releasing(job), .stopWatching, .release(job, hold: hold))
    case .setAside(let process): go(.quarantined(job, process))
    case .gone, .released: []
    case .take, .nothingTaken, .taken, .skipped, .entered, .started, .postponed, .found, .vacated: [.violation]
    }
  }

  private mutating func inRunning(_ event: Event, _ job: TakenJob, _ process: ProcessIdentity) -> [Action] {
    switch event {
    case .gone: go(.unresolved(job, process), .stopWatching, .findStatus(process))
    case .judged(let hold): go(.releasing(job), .stopWatching, .release(job, hold: hold))
    // The script could not find or run its interpreter.
    case .postponed: go(.free, .freeEntry, .clear, .putBack(job))
    case .released: []
    case .take, .nothingTaken, .taken, .skipped, .entered, .started, .found, .identified, .setAside, .vacated: [.violation]
    }
  }

  private mutating func inUnresolved(_ event: Event, _ job: TakenJob) -> [Action] {
    switch event {
    case .judged(let hold): go(.releasing(job), .stopWatching, .release(job, hold: hold))
    case .postponed: go(.free, .freeEntry, .clear, .putBack(job))
    case .gone, .released: []
    case .take, .nothingTaken, .taken, .skipped, .entered, .started, .found, .identified, .setAside, .vacated: [.violation]
    }
  }

  private mutating func inReleasing(_ event: Event) -> [Action] {
    switch event {
    case .released: go(.free, .freeEntry, .clear, .announceFree)
    case .gone: []
    case .take, .nothingTaken, .taken, .skipped, .entered, .started, .postponed, .found, .identified, .judged, .setAside, .vacated:
      [.violation]
    }
  }

  private mutating func inQuarantined(_ event: Event, _ job: TakenJob?) -> [Action] {
    switch (event, job) {
    case (.vacated, nil): go(.free, .freeEntry, .clear)
    case (.judged(let hold), let job?): go(.releasing(job), .stopWatching, .release(job, hold: hold))
    case (.gone, _), (.released, _): []
    case (.vacated, _), (.judged, _): [.violation]
    case (.take, _), (.nothingTaken, _), (.taken, _), (.skipped, _), (.entered, _), (.started, _), (.postponed, _), (.found, _),
      (.identified, _), (.setAside, _):
      [.violation]
    }
  }
}
