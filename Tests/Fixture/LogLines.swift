import Logging
import Synchronization

/// What loggers have said, as "level text", whatever thread they are on.
public final class LogLines: LogHandler, Sendable {
  private let lines = Mutex<[String]>([])
  private let lowest: Logger.Level
  public var all: [String] { lines.withLock { $0 } }

  public init(from lowest: Logger.Level = .info) { self.lowest = lowest }

  public var metadata: Logger.Metadata {
    get { [:] }
    set {}
  }
  public var logLevel: Logger.Level {
    get { lowest }
    set {}
  }
  public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { nil }
    set {}
  }

  public func log(event: LogEvent) { lines.withLock { $0.append("\(event.level) \(event.message)") } }
}
