import Core
import Logging

/// What happened in a world, line by line with the time: log lines of all processes, scripts and faults.
final class WorldTrace: @unchecked Sendable {
  // A world is on one thread.
  private let clock: WorldClock
  private let isKept: Bool
  /// False: lines that nobody reads are not even put together.
  private let isDigested: Bool
  weak var checkers: Checkers?
  private(set) var lines: [String] = []
  /// Over all lines, kept or not: two runs of one seed have the same.
  private(set) var digest: UInt64 = 0xcbf2_9ce4_8422_2325

  init(clock: WorldClock, isKept: Bool, isDigested: Bool) {
    self.clock = clock
    self.isKept = isKept
    self.isDigested = isDigested || isKept
  }

  func note(_ line: @autoclosure () -> String) {
    guard isDigested else { return }
    let text = line()
    for byte in text.utf8 { digest = (digest ^ UInt64(byte)) &* 0x100_0000_01b3 }
    digest = (digest ^ UInt64(truncatingIfNeeded: clock.now.nanoseconds)) &* 0x100_0000_01b3
    keep(text)
  }

  func logger(_ name: String) -> Logger { Logger(label: name) { _ in Handler(name: name, trace: self) } }

  private struct Handler: LogHandler {
    let name: String
    let trace: WorldTrace
    var metadata: Logger.Metadata = [:]
    var logLevel: Logger.Level {
      get { trace.isKept ? .debug : trace.isDigested ? .info : .warning }
      set {}
    }

    init(name: String, trace: WorldTrace) {
      self.name = name
      self.trace = trace
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
      get { metadata[key] }
      set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
      // Lines of debugging are for a person who reads the trace; whether they are kept must not change the digest.
      if event.level == .debug {
        trace.keep("\(name) debug: \(event.message)")
      } else {
        trace.note("\(name) \(event.level): \(event.message)")
      }
      trace.checkers?.said(name, event.level, "\(event.message)")
    }
  }

  private func keep(_ text: String) {
    guard isKept else { return }
    let milliseconds = clock.now.nanoseconds / 1_000_000 - 1_000_000
    lines.append("\(milliseconds / 1000).\(String(milliseconds % 1000 + 1000).dropFirst()) \(text)")
  }
}
