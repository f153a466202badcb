/// What a new incarnation does with a slot of the table that it has opened.
public enum FoundSlotPolicy {
  public enum Action: Equatable, Sendable {
    /// The slot is free.
    case nothing
    /// The job's process may be about to enter itself: the job is taken away from it first.
    case takeAway
    /// Its process never ran.
    case requeue
    /// Its process runs, or has ended unseen.
    case watch
    /// Its process ended and the status is in the slot.
    case judge
    /// Adopting it ended two incarnations: left alone until its process is gone.
    case quarantine
    /// Garbage that names a living process of ours: left alone until that is gone, since its job may run.
    case hold
    /// Garbage that names nobody: the slot is free from now on.
    case release
    /// In a state that only a later version knows.
    case leaveToNewer
  }

  /// `hasPid`: the slot's word names a process, which a free slot's does not; `processLives`: a script of ours with that pid lives.
  public static func action(_ state: SlotWord.State?, _ integrity: SlotIntegrity, hasPid: Bool, processLives: Bool) -> Action {
    if state == .free && !hasPid { return .nothing }
    #if MUTANTS
      if Mutant.active == .startingAdoptedAsRunning && state == .starting { return .watch }
    #endif
    switch integrity {
    case .newer: return .leaveToNewer
    case .garbage: return processLives ? .hold : .release
    case .whole, .unsealed: break
    }
    switch state {
    case .free, nil: return processLives ? .hold : .release
    case .starting: return .takeAway
    case .aborted: return .requeue
    case .running: return .watch
    case .ended: return .judge
    case .quarantined: return .quarantine
    }
  }
}
