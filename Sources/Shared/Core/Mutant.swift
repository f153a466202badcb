#if MUTANTS
  /// Small defects, one at a time, that the simulation must find (`make mutants`): without them its checkers would be a belief. They are in no
  /// build without `-DMUTANTS`.
  public enum Mutant: String, CaseIterable, Sendable {
    /// Locks of running jobs are not renewed.
    case renewalForgotten
    /// A successor leaves slots alone whose job was about to start.
    case startingIgnored
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
    /// A new leader runs the last tick again.
    case lastTickNotAsked
    /// A child that died is not started again.
    case restartForgotten
    /// Scripts die with their child.
    case scriptsDieWithChild
    /// What the database names is begun, however lately it was done here.
    case ownClockIgnored
    /// A take that found nothing keeps its slot.
    case slotKeptByEmptyTake

    nonisolated(unsafe) public static var active: Mutant?
  }
#endif
