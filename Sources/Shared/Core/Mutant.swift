#if MUTANTS
  /// Small defects, one at a time, that the simulation must find (`make mutants`): without them its checkers would be a belief. They are in no
  /// build without `-DMUTANTS`.
  public enum Mutant: String, CaseIterable, Sendable {
    /// Locks of running jobs are not renewed.
    case renewalForgotten
    /// A slot whose process never came is taken for one that runs, so its job counts as begun.
    case startingAdoptedAsRunning
    /// No script is ended at its limit.
    case limitForgotten
    /// TERM at the limit, and never KILL.
    case killForgotten
    /// A stop goes on taking work.
    case drainTakesOn
    /// A job that is handed out again while it runs here is started again.
    case duplicateStarted
    /// A failed device is not held.
    case holdForgotten
    /// Holds end with the child.
    case holdLostAtRestart
    /// A script that ended while nobody watched keeps its slot.
    case unseenEndIgnored
    /// An adopted script counts as gone at once.
    case adoptedCountsAsGone
    /// What was taken and never reached the table is not put back.
    case noteForgotten
    /// A new leader begins with the next tick, whether or not the last one was run.
    case lastTickNotAsked
    /// A new leader runs the last tick again.
    case lastTickRunAgain
    /// A tick counts as run before its members are queued.
    case tickNotedTooEarly
    /// A tick that comes while the last run goes on is dropped.
    case waitingTickDropped
    /// A device's period counts from the end of its last run.
    case periodFromEnd
    /// The lock of a job that has ended is left to lapse.
    case releaseForgotten
    /// A child that died is not started again.
    case restartForgotten
    /// Scripts die with their child.
    case scriptsDieWithChild
    /// What the database names is begun, however lately it was done here.
    case ownClockIgnored
    /// A take that found nothing keeps its slot.
    case slotKeptByEmptyTake

    // Faults that seeds have found, to see that they still would.

    /// A slot is free before its lock's release is answered: a child killed in between leaves a note of a job that its table has ended, which
    /// runs again.
    case slotFreedEarly
    /// A new device whose discovery left no trace is not discovered again while its child lives.
    case newcomerForgotten
    /// A job of the table whose process never ran is queued before there is a connection.
    case unstartedLost

    nonisolated(unsafe) public static var active: Mutant?
  }
#endif
