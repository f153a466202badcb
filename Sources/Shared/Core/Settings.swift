/// What a type needs to know about its own schedule.
public struct Schedule: Codable, Sendable, Equatable {
  /// Does this node run jobs of the type?
  public var enabled: Bool
  /// Worker slots.
  public var workers: Int
  /// The period of a device, a group or the type's tick.
  public var frequency: Duration

  public init(enabled: Bool, workers: Int, frequency: Duration) {
    self.enabled = enabled
    self.workers = workers
    self.frequency = frequency
  }
}

/// How a certificate of the database server is checked (`DB_SSLMODE`).
public enum DatabaseTLS: String, Codable, Sendable {
  case disabled
  case verifyCA = "verify_ca"
  case verifyIdentity = "verify_identity"
}

/// How to reach MariaDB or MySQL. A non-empty `socket` wins over host and port; `localhost` means TCP.
public struct DatabaseSettings: Codable, Sendable, Equatable {
  public var host = "localhost"
  public var port = 3306
  public var socket = ""
  public var name = "librenms"
  public var user = "librenms"
  public var password = ""
  public var tls = DatabaseTLS.disabled
  public var certificateAuthority = "/etc/ssl/certs/ca-certificates.crt"

  public init() {}
}

/// How to reach Redis, as configured; which of the ways is used is decided where the connection is made.
public struct RedisSettings: Codable, Sendable, Equatable {
  public var host = "localhost"
  public var port = 6379
  public var database = 0
  public var user = ""
  public var password = ""
  public var scheme = "tcp"
  public var socket = ""
  public var sentinels = ""
  public var sentinelService = ""
  public var sentinelUser = ""
  public var sentinelPassword = ""
  public var timeout = Duration.seconds(60)
  /// A host, a socket or a complete Sentinel pair was named in some source (not a default).
  public var isNamed = false

  public init() {}
}

/// Where the scripts' own output goes (`--log-output`).
public enum OutputMode: String, Codable, Sendable, CaseIterable {
  case none, passthrough, logger, file
}

/// `loglevel` and `service_loglevel`, in Python's order.
public enum LogLevel: String, Codable, Sendable, CaseIterable {
  case debug = "DEBUG"
  case info = "INFO"
  case warning = "WARNING"
  case error = "ERROR"
  case critical = "CRITICAL"
}

/// What the command line says; it is stronger than every other source.
public struct RunFlags: Codable, Sendable, Equatable {
  public var groups: [Int] = []
  public var verbose = false
  public var debug = false
  public var output = OutputMode.none
  public var multiple = false
  public var timestamps = false

  public init() {}
}

/// Limits of a type from `DISPATCHER_<TYPE>_…` in the environment or `.env`.
public struct TypeLimits: Codable, Sendable, Equatable {
  /// A script that runs longer is ended with its whole group. The contract's default.
  public var jobTimeout = Duration.seconds(3600)
  /// Added to the niceness of the scripts, -20 to 19.
  public var nice: Int32 = 0
  /// What the scripts may use together; what is not set is not limited.
  public var resources: [Resource: ResourceLimit] = [:]

  public init() {}

  /// Without settings. `daily.sh` fetches a new LibreNMS and changes its database: it gets hours.
  public init(for type: TaskType) {
    if type == .maintenance { jobTimeout = .seconds(6 * 3600) }
  }
}

/// Which command lines the installed LibreNMS understands; read from its tree at every configuration load.
public struct ScriptGeneration: Codable, Sendable, Equatable {
  /// `lnms device:discover` exists (else `discovery.php`).
  public var discoverCommand = true
  /// `lnms device:ping` knows the kind `fast` (else `ping.php`).
  public var fastPingCommand = true

  public init() {}
}

/// The resolved configuration of one node: all sources of the contract applied, every value checked.
///
/// It holds secrets. It travels over inherited sockets and pipes only, never through arguments, the environment or a file.
public struct Settings: Codable, Sendable, Equatable {
  public var base: String
  public var nodeID: String
  public var pollerName: String
  public var distributed = false
  /// Poller groups in the configured order, without duplicates, never empty.
  public var groups = [0]
  public var schedules: [TaskType: Schedule] = Settings.defaultSchedules
  public var pollerDownRetry = Duration.seconds(60)
  /// The period of billing's second clock, `billing-calculate.php`.
  public var billingCalculateFrequency = Duration.seconds(60)
  /// The lifetime of the lock `dispatch.master`.
  public var masterTimeout = Duration.seconds(20)
  public var watchdogEnabled = false
  public var logDirectory: String
  /// The file that the log watchdog looks at.
  public var logFile: String
  /// Empty: no health file.
  public var healthFile = ""
  public var logLevel = LogLevel.info
  public var database = DatabaseSettings()
  public var redis = RedisSettings()
  public var scripts = ScriptGeneration()
  /// Types without an entry have the defaults.
  public var limits: [TaskType: TypeLimits] = [:]
  /// The directory with a control group for the scripts of each type, made by the supervisor; nil: scripts stay where they are started.
  public var controlGroups: String?
  /// Percent of memory in use from which on no further script starts (`DISPATCHER_MEMORY_PRESSURE_PERCENT`); nil: that is not looked at.
  public var memoryPressure: Int? = 95
  public var flags = RunFlags()
  /// `artisan schedule:run` each minute (`DISPATCHER_SCHEDULE_RUN`): for containers, where neither cron nor a systemd timer does it.
  public var runsSchedule = false
  /// Whether scripts get PHP's file cache (`DISPATCHER_PHP_OPCACHE`), and where it is.
  public var phpCache = PHPCache.wanted
  /// What the sources of this configuration looked like when it was read; another one now means that it should be read again. Empty: unknown.
  public var fingerprint = ""

  public static let defaultSchedules: [TaskType: Schedule] = [
    .poller: Schedule(enabled: true, workers: 24, frequency: .seconds(300)),
    .discovery: Schedule(enabled: true, workers: 16, frequency: .seconds(21600)),
    .services: Schedule(enabled: true, workers: 8, frequency: .seconds(300)),
    .ping: Schedule(enabled: false, workers: 1, frequency: .seconds(60)),
    .billing: Schedule(enabled: true, workers: 2, frequency: .seconds(300)),
    .alerting: Schedule(enabled: true, workers: 1, frequency: .seconds(60)),
    .maintenance: Schedule(enabled: true, workers: 1, frequency: .seconds(86400)),
  ]

  public init(base: String, nodeID: String, pollerName: String) {
    self.base = base
    self.nodeID = nodeID
    self.pollerName = pollerName
    self.logDirectory = base + "/logs"
    self.logFile = base + "/logs/librenms.log"
  }

  /// True: queues and locks are in Redis, shared with other nodes. Decided when the configuration is loaded.
  public var isClustered = false

  /// Does the dispatch of this node fill queues of this group? In a cluster the master fills all of them.
  public func serves(_ group: Int) -> Bool { isClustered || groups.contains(group) }

  /// The groups whose queues the dispatch of this node fills; nil = all.
  public var dispatchedGroups: [Int]? { isClustered ? nil : groups }

  /// The schedule of a type; every type has one.
  public subscript(_ type: TaskType) -> Schedule {
    get { schedules[type] ?? Schedule(enabled: false, workers: 1, frequency: .seconds(300)) }
    set { schedules[type] = newValue }
  }
}
