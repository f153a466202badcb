import Core
import Logging

/// What loggers of a simulation have written, with the virtual time of each line.
public final class LogTrace: @unchecked Sendable {
  public struct Line: Equatable, CustomStringConvertible, Sendable {
    public var time: MonotonicTime
    public var level: Logger.Level
    public var text: String

    public var description: String { "\(time.nanoseconds) \(level) \(text)" }
  }

  // Loop and loggers of a simulation are on one thread.
  private let loop: EventLoop
  public private(set) var lines: [Line] = []

  public init(loop: EventLoop) { self.loop = loop }

  /// `label` is of no interest but to tell nodes apart.
  public func logger(_ label: String) -> Logger { Logger(label: label) { _ in Handler(trace: self) } }

  fileprivate func add(_ level: Logger.Level, _ text: String) { lines.append(Line(time: loop.now, level: level, text: text)) }

  private struct Handler: LogHandler {
    let trace: LogTrace
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.debug

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
      get { metadata[key] }
      set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
      let all = event.metadata.map { metadata.merging($0) { $1 } } ?? metadata
      let suffix = all.map { ($0.key, "\($0.value)") }.sorted { $0.0 < $1.0 }.map { " \($0.0)=\($0.1)" }.joined()
      trace.add(event.level, "\(event.message)\(suffix)")
    }
  }
}
