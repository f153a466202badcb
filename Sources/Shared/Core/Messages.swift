/// The version of the messages between supervisor and children. A child of another version is refused in `hello`.
public let wireVersion = 2

/// What a child says. Unknown cases of a newer child are dropped by the reader with a log line.
public enum Upward: Codable, Sendable, Equatable {
  /// The first message: who speaks.
  case hello(wire: Int, type: TaskType, pid: Int32, version: String)
  /// The configuration of this epoch is accepted and the job table is adopted. Needs no server.
  case ready(epoch: Int)
  case heartbeat(Heartbeat)
  /// The configuration of this epoch can't be applied to a running child; the old one stays.
  case configRejected(epoch: Int, reason: String)
  /// What became of the ids of `enqueue` with this number.
  case enqueued(number: Int, results: [OnDemandResult])
  /// A part of the answer to `listLocks` with this number.
  case locks(number: Int, page: LockPage)
  /// A source of the configuration has changed, or a script may have changed it: the configuration is to be read again.
  case reloadWanted(reason: String)
}

/// What the supervisor says. Every message is the full state, so a repeated or skipped one does no harm.
public enum Downward: Codable, Sendable, Equatable {
  /// `mayLead`: this node's master lock may be used by the child (without Redis: always true). `slots`: 0 = dispatch only.
  case configure(epoch: Int, mayLead: Bool, settings: Settings)
  /// Take no new work, let the scripts finish, exit 0. `kill`: end the scripts' groups too (TERM, 5 s, KILL).
  case drain(kill: Bool)
  /// An orphan of an earlier incarnation ended.
  case reaped(pid: Int32, startTime: UInt64, status: ExitStatus)
  /// An operator wants these devices first. Asking twice lifts twice, which is once.
  case enqueue(number: Int, payloads: [String])
  /// All locks that the child can see: in a cluster everybody's, alone its own.
  case listLocks(number: Int)
  /// Where job table, cool-downs and pipes are from now on: the runtime directory was removed and could not be made anew in its place.
  case move(runtimeDirectory: String)
  /// For the child that reports about the node: what the children that run have said last, by type.
  case heartbeats([TaskType: Heartbeat])
}

/// How a process ended.
public enum ExitStatus: Codable, Sendable, Equatable, Hashable, CustomStringConvertible {
  case exited(Int32)
  case signalled(Int32)

  public var description: String {
    switch self {
    case .exited(let code): "exit code \(code)"
    case .signalled(let signal): "signal \(signal)"
    }
  }
}

/// What a child proves with each turn of the loop that hands out jobs. All times are CLOCK_BOOTTIME.
public struct Heartbeat: Codable, Sendable, Equatable {
  /// Counts up by one; tells a live loop from a repeated message.
  public var beat: UInt64 = 0
  public var busy = 0
  public var slots = 0
  /// Members waiting in the queues of this node's groups.
  public var queued = 0
  /// The queue could be asked lately; else `queued` is an old figure.
  public var queueIsKnown = true
  /// How long the oldest waiting job has been due; nil = nothing waits.
  public var oldestDue: Duration?
  public var lastDispatch: MonotonicTime?
  public var lastJobStarted: MonotonicTime?
  public var done: UInt64 = 0
  public var failed: UInt64 = 0
  /// Worker seconds that ended within the last period of the type, and what the slots could have given.
  public var consumed = Duration.zero
  public var capacity = Duration.zero
  /// Jobs that ended within the last period.
  public var recentJobs = 0
  /// Ticks since the child started whose run had to wait for the end of the last one, and ticks that had no run of their own.
  public var lateTicks: UInt64 = 0
  public var missedTicks: UInt64 = 0
  /// 95 of 100 jobs of the last periods took at most this long; nil = too few for a figure.
  public var usualLongest: Duration?
  /// Jobs whose script ended with 0 within the last minutes and that were due again at once, since their time in the database had not
  /// moved; and the payload of one of them.
  public var stayedDue = 0
  public var stayedDueExample: String?
  /// What the node's diagnosis has found and is still so, a few lines at most.
  public var warnings: [String] = []
  public var lastError: String?
  /// Outside faults that a restart can't cure.
  public var outages: Set<Outage> = []
  /// Why no job starts or is queued although every server answers, in one line: refused commands, a table without usable slots. nil = nothing
  /// of that. A node with such a fault is not healthy.
  public var fault: String?
  /// Why the child works without a file for its job table, so that its scripts can't be adopted; nil: it has one.
  public var tableFailure: String?
  /// Output bytes of scripts that a full or stuck target could not take.
  public var droppedOutput: UInt64 = 0
  /// What the child has asked of the servers since it started: SQL statements, and commands to Redis with those to Sentinels.
  public var sqlStatements: UInt64 = 0
  public var redisCommands: UInt64 = 0

  public init() {}
}

/// Outside faults with a name. While one is reported the child counts as healthy for the systemd watchdog.
public enum Outage: String, Codable, Sendable, CaseIterable, Comparable {
  case database, redis, fork
  /// Too little memory: scripts start one at a time.
  case memory

  /// Nothing starts as long as it lasts.
  public var stopsWork: Bool { self != .memory }

  public static func < (a: Outage, b: Outage) -> Bool { a.rawValue < b.rawValue }
}
