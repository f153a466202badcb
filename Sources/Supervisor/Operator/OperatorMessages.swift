import Core

/// What an operator may ask over `control.sock`: one JSON object per line, `{"command":"status"}`.
struct OperatorRequest: Codable, Equatable {
  enum Command: String, Codable, CaseIterable {
    case status, health, reload, poll, discover, locks
  }

  /// So many ids fit into a request, and the answers to them into a message of the child.
  static let deviceLimit = 50

  var command: Command
  /// Of `poll` and `discover`.
  var devices: [Int64]?
}

/// The answer, one JSON object on one line; exactly one of the fields beside `ok` and `text` is there for commands that have more to say.
struct OperatorReply: Codable, Equatable {
  var ok: Bool
  /// One line for people.
  var text: String
  var status: StatusReport?
  /// Of `poll` and `discover`, in the order of the devices.
  var jobs: [OnDemandResult]?
  var locks: LockList?
}

/// Everything that `status` shows. Durations are in seconds; what is unknown is left out.
struct StatusReport: Codable, Equatable {
  struct Child: Codable, Equatable {
    var type: String
    /// The state machine's word: stopped, starting, running, stopping, backoff, failed.
    var state: String
    /// The configuration wants this type on this node.
    var wanted: Bool
    var pid: Int32?
    var uptime: Double?
    var generation = 0
    var restarts = 0
    var lastRestart: String?
    var crashLooping = false
    var nextStart: Double?
    var busy = 0
    var slots = 0
    var queued = 0
    var oldestDue: Double?
    var done: UInt64 = 0
    var failed: UInt64 = 0
    /// Worker seconds within the last period of the type, and what the slots could have given.
    var consumed = 0.0
    var capacity = 0.0
    var recentJobs = 0
    var heartbeatAge: Double?
    var lastJobStarted: Double?
    var outages: [String] = []
    /// Ticks whose run had to wait for the end of the last one, and ticks that had no run of their own.
    var lateTicks: UInt64 = 0
    var missedTicks: UInt64 = 0
    /// Of its scripts together, `MEMORY_MAX=512M`; and those that are set and can't be applied.
    var limits: [String] = []
    var limitsMissing: [String] = []
    /// Why it does not do its work although every server answers.
    var fault: String?
    /// Why it has no file for its job table: its scripts can't be adopted.
    var tableFailure: String?
    var lastError: String?
    var droppedOutput: UInt64 = 0
    /// Since the child started.
    var sqlStatements: UInt64 = 0
    var redisCommands: UInt64 = 0

    enum CodingKeys: String, CodingKey {
      case type, state, wanted, pid, uptime, generation, restarts, busy, slots, queued, done, failed, outages, limits, fault
      case tableFailure = "job_table_failure"
      case limitsMissing = "limits_missing"
      case lastRestart = "last_restart"
      case crashLooping = "crash_looping"
      case nextStart = "next_start"
      case oldestDue = "oldest_due"
      case consumed = "worker_seconds"
      case capacity = "worker_seconds_maximum"
      case recentJobs = "recent_jobs"
      case lateTicks = "late_ticks"
      case missedTicks = "missed_ticks"
      case heartbeatAge = "heartbeat_age"
      case lastJobStarted = "last_job_started"
      case lastError = "last_error"
      case droppedOutput = "dropped_output"
      case sqlStatements = "sql_statements"
      case redisCommands = "redis_commands"
    }
  }

  struct Job: Codable, Equatable {
    var type: String
    var slot: Int
    /// The device id, the group's or the tick's name; empty for a group's ping.
    var job: String
    var group: Int
    var pid: Int32
    /// How long it has been running.
    var since: Double
    /// How long it may still run.
    var limit: Double?
  }

  var version: String
  var pid: Int32
  var base: String
  var node: String?
  var name: String?
  var uptime: Double
  /// starting, waiting, working or stopping.
  var phase: String
  /// What `systemctl status` shows.
  var summary: String
  var healthy: Bool
  var epoch: Int
  /// What makes this node do its work badly, and what to do about it; one line each.
  var warnings: [String] = []
  var types: [Child]
  var jobs: [Job]
}
