/// How long the locks of jobs live that nobody renews: who sets them and who judges by them read it here.
public enum LockLifetime {
  /// Locks of running jobs live at least this long without a renewal: a machine that is paused for half a minute keeps its devices.
  public static let shortestHold = Duration.seconds(60)

  /// What the contract says. `now`: since 1970, for types whose locks end at a tick.
  public static func contract(_ type: TaskType, _ settings: Settings, now: Duration) -> Duration {
    switch type {
    case .poller, .services, .ping: return max(settings[type].frequency, .seconds(1))
    // Until the next timed discovery, which would discover the device anyway.
    case .discovery:
      let period = max(1, settings[type].frequency.components.seconds)
      return max(.seconds(period - now.components.seconds % period), shortestHold)
    // Renewed while a run goes on; so long alerts and bills stand still when a node dies over one.
    case .alerting, .billing: return shortestHold
    // Of an update, renewed: a node that dies over its update must not keep the others from theirs for a day.
    case .maintenance: return .seconds(300)
    }
  }

  /// What a running job's lock is set to, at the start and by each renewal.
  public static func ofRunningJob(contract: Duration) -> Duration { max(contract, shortestHold) }

  /// The same for a lock that lasts equally long whenever it is set; nil = its time does not tell when it was set: those of discovery end
  /// at a tick, those of alerting and billing are renewed by every node.
  public static func constant(_ type: TaskType, _ settings: Settings) -> Duration? {
    switch type {
    case .poller, .services, .ping: ofRunningJob(contract: contract(type, settings, now: .zero))
    case .discovery, .alerting, .billing, .maintenance: nil
    }
  }

  /// By the name of a lock, without the contract's `librenms.lock:`.
  public static func constant(lock name: String, _ settings: Settings) -> Duration? {
    TaskType.allCases.first { name.hasPrefix($0.rawValue + ".") }.flatMap { constant($0, settings) }
  }

  /// For how long a child of the type may be missed at most: nothing that it holds is lost before, and of a short period no run is missed
  /// though its locks last longer. nil = it holds none that another node waits for.
  public static func shortest(_ type: TaskType, _ settings: Settings) -> Duration? {
    switch type {
    case .maintenance: nil
    case .discovery: shortestHold
    case .poller, .services, .ping, .alerting, .billing: contract(type, settings, now: .zero)
    }
  }
}
