import Glibc
import Logging
import Synchronization

/// The process's log: level, target and ring, behind swift-log.
///
/// journald's native fields when `JOURNAL_STREAM` says that standard error is the journal, else lines on standard error.
public final class DispatcherLog: Sendable {
  /// The one of this process. Set up once by `bootstrap`; before that, levels of swift-log apply to a plain handler of the same ring.
  public static let shared = DispatcherLog()

  public let ring = LogRing()
  private let state = Mutex(State())

  private struct State {
    var level = Logger.Level.info
    var identifier = "librenms-dispatcher"
    var timestamps = false
    var journal = false
  }

  /// Makes this log the target of every `Logger` of the process. `identifier` is the program's name in each line.
  public func bootstrap(identifier: String, timestamps: Bool = false) {
    state.withLock {
      $0.identifier = identifier
      $0.timestamps = timestamps
      $0.journal = Self.isJournal()
    }
    ring.surviveFaults()
    LoggingSystem.bootstrap { label in DispatcherLogHandler(label: label, log: self) }
  }

  public var level: Logger.Level {
    get { state.withLock { $0.level } }
    set { state.withLock { $0.level = newValue } }
  }

  public func set(_ level: LogLevel) {
    self.level =
      switch level {
      case .debug: .debug
      case .info: .info
      case .warning: .warning
      case .error: .error
      case .critical: .critical
      }
  }

  /// What the settings and the command line say together: `-d` is above everything, `-v` only speaks until the settings are read.
  public func apply(_ settings: Settings) {
    set(settings.flags.debug ? .debug : settings.logLevel)
    state.withLock { $0.timestamps = settings.flags.timestamps }
  }

  func write(_ level: Logger.Level, _ text: String, metadata: Logger.Metadata) {
    let (identifier, timestamps, journal) = state.withLock { ($0.identifier, $0.timestamps, $0.journal) }
    let priority = Self.priority(level)
    // One message is one line, and no command to a terminal, whatever a script, a device or a server put into it.
    let text = VisibleText.of(text)
    let metadata = metadata.map { ($0.key, VisibleText.of("\($0.value)")) }.sorted { $0.0 < $1.0 }
    if journal {
      let fields = metadata.map { "DISPATCHER_\($0.0.uppercased())=\($0.1)" } + ["SYSLOG_IDENTIFIER=\(identifier)"]
      ring.write(Array(text.utf8), to: .journal, priority: priority, fields: fields)
      return
    }
    var line = timestamps ? Self.timestamp() + " " : ""
    line += "\(identifier) \(Self.name(level)): \(text)"
    for (key, value) in metadata { line += " \(key)=\(value)" }
    ring.write(Array(line.utf8) + [UInt8(ascii: "\n")], to: .descriptor(STDERR_FILENO), priority: priority)
  }

  private static func priority(_ level: Logger.Level) -> Int32 {
    switch level {
    case .trace, .debug: 7
    case .info: 6
    case .notice: 5
    case .warning: 4
    case .error: 3
    case .critical: 2
    }
  }

  private static func name(_ level: Logger.Level) -> String {
    switch level {
    case .trace, .debug: "DEBUG"
    case .info, .notice: "INFO"
    case .warning: "WARNING"
    case .error: "ERROR"
    case .critical: "CRITICAL"
    }
  }

  /// Local time as Python's logging prints it.
  private static func timestamp() -> String {
    let wall = WallClock.now.nanoseconds
    var seconds = time_t(wall / 1_000_000_000)
    var parts = tm()
    localtime_r(&seconds, &parts)
    // Put together here: from glibc 2.41 on strftime has other types, and one source has to fit both.
    func digits(_ value: Int, _ width: Int = 2) -> String {
      let text = String(value)
      return String(repeating: "0", count: max(0, width - text.count)) + text
    }
    let date = "\(digits(Int(parts.tm_year) + 1900, 4))-\(digits(Int(parts.tm_mon) + 1))-\(digits(Int(parts.tm_mday)))"
    let time = "\(digits(Int(parts.tm_hour))):\(digits(Int(parts.tm_min))):\(digits(Int(parts.tm_sec)))"
    return "\(date) \(time),\(digits(Int(wall / 1_000_000 % 1000), 3))"
  }

  /// `JOURNAL_STREAM` is "device:inode" of the stream; it must be our standard error, or it was meant for someone else.
  private static func isJournal() -> Bool {
    guard let stream = ScriptEnvironment.value("JOURNAL_STREAM") else { return false }
    var status = stat()
    return fstat(STDERR_FILENO, &status) == 0 && stream == "\(status.st_dev):\(status.st_ino)"
  }
}

/// swift-log's side of `DispatcherLog`.
struct DispatcherLogHandler: LogHandler {
  let label: String
  let log: DispatcherLog
  var metadata: Logger.Metadata = [:]

  var logLevel: Logger.Level {
    get { log.level }
    set {}
  }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    let merged = event.metadata.map { metadata.merging($0) { $1 } } ?? metadata
    log.write(event.level, "\(event.message)", metadata: merged)
  }
}
