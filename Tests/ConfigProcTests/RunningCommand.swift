import CLinuxShims
import Core
import Glibc

@testable import ConfigProc

/// A started librenms-configd and what it said so far.
final class RunningCommand {
  let pid: Int32
  private let pidfd: Int32
  private var outputStream: CapturedStream
  private var errorStream: CapturedStream
  private var status: ExitStatus?

  init(started: Program.Started, output: CapturedStream, errors: CapturedStream) {
    pid = started.pid
    pidfd = started.pidfd
    outputStream = output
    errorStream = errors
    outputStream.closeWriter()
    errorStream.closeWriter()
  }

  deinit {
    if status == nil {
      kill(pid, SIGKILL)
      _ = try? waitForEnd(within: .seconds(5))
    }
    outputStream.close()
    errorStream.close()
    close(pidfd)
  }

  var output: String { String(decoding: outputStream.bytes, as: UTF8.self) }
  var errors: String { String(decoding: errorStream.bytes, as: UTF8.self) }

  /// All reports up to now.
  func reports() throws -> [ResolverReport] {
    var decoder = FrameDecoder(limit: FrameDecoder.downwardLimit)
    return try decoder.feed(outputStream.bytes).map { try MessageCodec.decode(ResolverReport.self, from: $0) }
  }

  /// Waits till the reports fulfil a condition.
  func waitForReports(within limit: Duration = .seconds(15), _ condition: ([ResolverReport]) -> Bool) throws -> [ResolverReport] {
    try wait(within: limit) {
      let reports = try self.reports()
      return condition(reports) ? reports : nil
    }
  }

  func waitForEnd(within limit: Duration) throws -> ExitStatus {
    try wait(within: limit) {
      if let status = self.status { return status }
      var exit = shim_exit()
      guard shim_reap_pidfd(self.pidfd, &exit) == 1 else { return nil }
      self.outputStream.drain()
      self.errorStream.drain()
      self.status = exit.kind == 1 ? .exited(exit.value) : .signalled(exit.value)
      return self.status
    }
  }

  /// Its reader goes away.
  func closeOutput() { outputStream.close() }

  private func wait<Result>(within limit: Duration, _ look: () throws -> Result?) throws -> Result {
    let end = MonotonicTime.now + limit
    while true {
      outputStream.drain()
      errorStream.drain()
      if let result = try look() { return result }
      guard MonotonicTime.now < end else { throw CommandHarness.Failure(text: "time is up; output: \(output) errors: \(errors)") }
      var watched = [outputStream.descriptor, errorStream.descriptor, pidfd].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
      _ = poll(&watched, nfds_t(watched.count), 50)
    }
  }
}

extension ResolverReport {
  var waitingReason: String? {
    if case .waiting(let reason) = self { reason } else { nil }
  }

  var settings: Settings? {
    if case .resolved(let settings, _, _) = self { settings } else { nil }
  }
}
