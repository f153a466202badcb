import Core
import Logging

/// Runs `librenms-configd resolve`, which reads the configuration so that this process needs neither SQL nor PHP.
///
/// What the helper writes is gossip like a child's: garbage, silence and death all end in `onEnd`.
final class ConfigurationLoader {
  enum Outcome {
    case resolved(LoadedConfiguration)
    case refused(exitCode: Int32, message: String)
    /// The helper itself failed; the next attempt may work.
    case failed(String)
  }

  /// The dump alone may take 300 s, and a waiting helper speaks only when its reason changes; one that said nothing
  /// for longer starts over, which does no harm.
  private static let silenceLimit = Duration.seconds(900)
  /// After its last word, or after its reader is gone, the helper has nothing to do but to end its own children.
  private static let endLimit = Duration.seconds(5)
  /// What a process wrote before it ended is there when it is reaped; one turn of the loop would do.
  private static let drainLimit = Duration.seconds(1)

  private let loop: EventLoop
  private let log: Logger
  private let host: any SupervisorHost
  private(set) var pid: Int32 = 0
  private var port: (any ResolverPort)?
  private var outcome: Outcome?
  private var ended: ExitStatus?
  private var limit: TimerToken?
  /// Called when the helper says what it waits for.
  var onWaiting: ((String) -> Void)?
  /// Called once per `start`, when the helper was reaped.
  var onEnd: ((Outcome) -> Void)?

  init(loop: EventLoop, host: any SupervisorHost, log: Logger) {
    self.loop = loop
    self.host = host
    self.log = log
  }

  /// From `start` to `onEnd`.
  private(set) var isRunning = false

  /// Starts the helper; the outcome of an impossible start comes after this turn, like any other.
  func start() {
    guard !isRunning else { return }
    isRunning = true
    outcome = nil
    do throws(SystemError) {
      try launch()
    } catch {
      end(.failed("librenms-configd can't be started: \(error)"))
    }
  }

  private func launch() throws(SystemError) {
    let (pid, port) = try host.startResolver()
    self.pid = pid
    port.onMessage = { [weak self] in self?.receive($0) }
    port.onClose = { [weak self] in self?.closed($0) }
    self.port = port
    arm(Self.silenceLimit)
  }

  private func receive(_ message: ResolverMessage) {
    guard outcome == nil else { return }
    switch message {
    case .garbage(let bytes): give(up: "librenms-configd wrote \(bytes) bytes that are no report; is it of another version?")
    case .report(.waiting(let reason)):
      arm(Self.silenceLimit)
      onWaiting?(reason)
    case .report(.resolved(let settings, let entries, let notes)):
      outcome = .resolved(LoadedConfiguration(settings: settings, entries: entries, notes: notes))
      arm(Self.endLimit)
    case .report(.refused(let exitCode, let message)):
      outcome = .refused(exitCode: exitCode, message: message)
      arm(Self.endLimit)
    }
  }

  private func closed(_ closing: FrameChannel.Closing) {
    port = nil
    defer { finishIfOver() }
    guard outcome == nil else { return }
    switch closing {
    case .garbage: give(up: "librenms-configd wrote what is no report; is it of another version?")
    case .failed(let error): give(up: "the report of librenms-configd can't be read: \(error)")
    case .ended(let pending):
      if pending > 0 { give(up: "the report of librenms-configd is cut off") } else { arm(Self.endLimit) }
    }
  }

  private func give(up reason: String) {
    stop(because: reason)
  }

  /// Lets the helper know that nobody listens: it ends its own children and itself. It is killed if that takes too long.
  func stop(because reason: String) {
    outcome = outcome ?? .failed(reason)
    port?.close()
    port = nil
    if pid > 0 { arm(Self.endLimit) }
  }

  private func arm(_ limit: Duration) {
    if let old = self.limit { loop.cancel(old) }
    let watched = pid
    self.limit = loop.schedule(after: limit) { [weak self] in
      guard let self, pid == watched else { return }
      log.warning("librenms-configd (\(pid)) takes too long and is killed")
      if pid > 0 { host.killGroup(pid) }
    }
  }

  /// To be called by whoever reaps. False: it is not this helper.
  func reaped(_ pid: Int32, _ status: ExitStatus) -> Bool {
    guard pid == self.pid, pid > 0 else { return false }
    self.pid = 0
    ended = status
    if let limit { loop.cancel(limit) }
    // The report may still be in the pipe: its end is awaited too, but not longer than for what something else holds the pipe open.
    limit = loop.schedule(after: Self.drainLimit) { [weak self] in
      self?.port?.close()
      self?.port = nil
      self?.finishIfOver()
    }
    finishIfOver()
    return true
  }

  private func finishIfOver() {
    guard pid == 0, port == nil, let status = ended else { return }
    ended = nil
    if let limit { loop.cancel(limit) }
    limit = nil
    end(outcome ?? Self.outcome(of: status))
  }

  /// Later, so that whoever starts the next helper does so outside the reaper.
  private func end(_ outcome: Outcome) {
    loop.afterTurn { [weak self] in
      self?.isRunning = false
      self?.onEnd?(outcome)
    }
  }

  private static func outcome(of status: ExitStatus) -> Outcome {
    switch status {
    // Its own command line parser speaks before there is a report; the message went to standard error.
    case .exited(let code) where code == 2 || code == 3: .refused(exitCode: code, message: "librenms-configd ended with \(status)")
    case .exited, .signalled: .failed("librenms-configd ended with \(status) and without a report")
    }
  }
}
