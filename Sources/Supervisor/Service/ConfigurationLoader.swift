import CLinuxShims
import Core
import Glibc
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

  /// A configuration with its entries and notes; the longest lists stay far below.
  private static let frameLimit = 1024 * 1024
  /// The dump alone may take 300 s, and a waiting helper speaks only when its reason changes; one that said nothing
  /// for longer starts over, which does no harm.
  private static let silenceLimit = Duration.seconds(900)
  /// After its last word, or after its reader is gone, the helper has nothing to do but to end its own children.
  private static let endLimit = Duration.seconds(5)
  /// What a process wrote before it ended is there when it is reaped; one turn of the loop would do.
  private static let drainLimit = Duration.seconds(1)

  private let loop: EventLoop
  private let log: Logger
  private let lookup: ExecutableLookup
  private let arguments: [String]
  private let groups: ControlGroups
  private(set) var pid: Int32 = 0
  private var channel: FrameChannel?
  private var outcome: Outcome?
  private var ended: ExitStatus?
  private var limit: TimerToken?
  /// Called when the helper says what it waits for.
  var onWaiting: ((String) -> Void)?
  /// Called once per `start`, when the helper was reaped.
  var onEnd: ((Outcome) -> Void)?

  /// `arguments`: the flags of the service, passed on to the helper.
  init(loop: EventLoop, log: Logger, lookup: ExecutableLookup, arguments: [String], groups: ControlGroups) {
    self.loop = loop
    self.log = log
    self.lookup = lookup
    self.arguments = arguments
    self.groups = groups
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
    guard let path = lookup.find("librenms-configd") else {
      throw SystemError("find librenms-configd in \(lookup.description)", number: ENOENT)
    }
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { throw SystemError("pipe") }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    defer { close(ends[1]) }
    let null = open("/dev/null", O_RDONLY | O_CLOEXEC)
    guard null >= 0 else {
      close(ends[0])
      throw SystemError("open /dev/null")
    }
    defer { close(null) }
    let channel: FrameChannel
    do throws(SystemError) {
      channel = try FrameChannel(fd: ends[0], loop: loop, limit: Self.frameLimit)
    } catch {
      close(ends[0])
      throw error
    }
    let program = Program(
      path: path, arguments: ["resolve"] + arguments, environment: ScriptEnvironment.forScripts(ScriptEnvironment.current()), input: null,
      output: ends[1], error: STDERR_FILENO)
    do throws(SystemError) {
      pid = try groups.startDaemon(program)
    } catch {
      channel.close()
      throw error
    }
    channel.onFrame = { [weak self] in self?.receive($0) }
    channel.onClose = { [weak self] in self?.closed($0) }
    self.channel = channel
    arm(Self.silenceLimit)
  }

  private func receive(_ frame: [UInt8]) {
    guard outcome == nil else { return }
    let report: ResolverReport
    do {
      report = try MessageCodec.decode(ResolverReport.self, from: frame)
    } catch {
      // Not the error itself: it may quote the value that it did not like, and the values include passwords.
      return give(up: "librenms-configd wrote \(frame.count) bytes that are no report; is it of another version?")
    }
    switch report {
    case .waiting(let reason):
      arm(Self.silenceLimit)
      onWaiting?(reason)
    case .resolved(let settings, let entries, let notes):
      outcome = .resolved(LoadedConfiguration(settings: settings, entries: entries, notes: notes))
      arm(Self.endLimit)
    case .refused(let exitCode, let message):
      outcome = .refused(exitCode: exitCode, message: message)
      arm(Self.endLimit)
    }
  }

  private func closed(_ closing: FrameChannel.Closing) {
    channel = nil
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
    channel?.close()
    channel = nil
    if pid > 0 { arm(Self.endLimit) }
  }

  private func arm(_ limit: Duration) {
    if let old = self.limit { loop.cancel(old) }
    let watched = pid
    self.limit = loop.schedule(after: limit) { [weak self] in
      guard let self, pid == watched else { return }
      log.warning("librenms-configd (\(pid)) takes too long and is killed")
      if pid > 0 { kill(-pid, SIGKILL) }
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
      self?.channel?.close()
      self?.channel = nil
      self?.finishIfOver()
    }
    finishIfOver()
    return true
  }

  private func finishIfOver() {
    guard pid == 0, channel == nil, let status = ended else { return }
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
