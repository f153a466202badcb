import Core
import Glibc
import Logging

/// Brings the scripts' output to where `--log-output` says. The mode decides only where bytes go: every script can always write.
final class OutputRouter {
  /// Lines per second that `logger` mode takes from all scripts of a child: above, logging would eat the time of the loop.
  private static let linesPerSecond = 2000

  private let ring: LogRing
  private let log: Logger
  private let loop: EventLoop
  private var second: Int64 = 0
  private var lines = 0
  private var droppedLines = 0
  private var droppedSeen: UInt64 = 0
  private var failing: Set<String> = []

  init(loop: EventLoop, log: Logger, ring: LogRing = DispatcherLog.shared.ring) {
    self.loop = loop
    self.log = log
    self.ring = ring
  }

  func passthrough(_ bytes: UnsafeRawBufferPointer) {
    ring.write(Array(bytes), to: .descriptor(STDOUT_FILENO))
  }

  func append(_ bytes: UnsafeRawBufferPointer, to path: String) {
    ring.write(Array(bytes), to: .file(path))
  }

  /// Logs lines of a script at the level that each one names itself.
  func log(_ texts: [String], of job: String) {
    let now = loop.now.nanoseconds / 1_000_000_000
    if now != second {
      second = now
      lines = 0
    }
    for text in texts {
      lines += 1
      guard lines <= Self.linesPerSecond else {
        droppedLines += 1
        continue
      }
      let level: Logger.Level =
        switch LevelInference.level(of: text) {
        case .debug: .debug
        case .info: .info
        case .warning: .warning
        case .error: .error
        case .critical: .critical
        }
      log.log(level: level, "\(job): \(text)")
    }
  }

  /// Bytes that a full or stuck target did not take, since the start.
  var dropped: UInt64 { ring.dropped }

  /// To be called now and then: says what was dropped, and which files can't be written, once each way.
  func report() {
    if droppedLines > 0 {
      log.warning("\(droppedLines) output lines of scripts dropped: over \(Self.linesPerSecond) a second")
      droppedLines = 0
    }
    let dropped = ring.dropped
    if dropped > droppedSeen {
      log.warning("\(dropped - droppedSeen) bytes of output dropped: their target is full or does not take them fast enough")
      droppedSeen = dropped
    }
    let now = ring.failing
    for (path, number) in now where failing.insert(path).inserted {
      log.error("can't write \(path): \(String(cString: strerror(number))); output for it is dropped until it works again")
    }
    for path in failing where now[path] == nil {
      failing.remove(path)
      log.info("\(path) can be written again")
    }
  }
}
