import CLinuxShims
import Core
import Glibc

/// Runs a script for its output, with a limit, in a session of its own that is gone afterwards.
struct ScriptRunner {
  var arguments: [String]
  var directory: String
  var environment: [CText]
  var limit: Duration
  /// Between TERM and KILL.
  var grace = Duration.seconds(5)
  /// Its reader may go away; then the script is ended, too, and so is this process.
  var port: ReportPort

  private static let signals: [Int32] = [SIGTERM, SIGINT, SIGHUP, SIGQUIT]

  func run() -> ScriptRun {
    guard var output = CapturedStream(.first(ScriptRun.outputLimit)), var errors = CapturedStream(.last(ScriptRun.errorLimit)) else {
      return ScriptRun(end: .notStarted("\(SystemError("pipe"))"))
    }
    let null = open("/dev/null", O_RDONLY | O_CLOEXEC)
    // While a script runs, a signal must end it before it ends us.
    let interruption = shim_signalfd(Self.signals, Int32(Self.signals.count))
    defer {
      output.close()
      errors.close()
      for descriptor in [null, interruption] where descriptor >= 0 { close(descriptor) }
      unblockSignals()
    }
    var program = Program(
      path: "/usr/bin/env", arguments: arguments, environment: environment, input: null,
      output: output.writer, error: errors.writer)
    program.directory = directory
    let started: Program.Started
    do {
      started = try program.start()
    } catch {
      return ScriptRun(end: .notStarted("\(error)"))
    }
    output.closeWriter()
    errors.closeWriter()
    let end = follow(started, &output, &errors, interruption)
    close(started.pidfd)
    return ScriptRun(
      end: end, output: output.bytes, overflowed: output.overflowed, errors: String(decoding: errors.bytes, as: UTF8.self))
  }

  private func follow(
    _ started: Program.Started, _ output: inout CapturedStream, _ errors: inout CapturedStream, _ interruption: Int32
  ) -> ScriptRun.End {
    var deadline = MonotonicTime.now + limit
    var terminated = false
    while true {
      output.drain()
      errors.drain()
      if let status = reap(started) {
        output.drain()
        errors.drain()
        return terminated ? .timedOut(limit) : .ended(status)
      }
      let signal = shim_signalfd_read(interruption)
      if signal > 0 || port.readerIsGone {
        end(started)
        unblockSignals()
        if signal > 0 { raise(signal) }
        exit(0)
      }
      var left = deadline - MonotonicTime.now
      if left <= .zero {
        kill(-started.pid, terminated ? SIGKILL : SIGTERM)
        terminated = true
        deadline = MonotonicTime.now + grace
        left = grace
      }
      var watched = [output.descriptor, errors.descriptor, started.pidfd, interruption].map {
        pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
      }
      watched.append(pollfd(fd: port.descriptor, events: 0, revents: 0))
      _ = poll(&watched, nfds_t(watched.count), Int32(clamping: left.nanoseconds / 1_000_000 + 1))
    }
  }

  /// Reaps the script if it has ended, after killing what it left behind in its group: once it is reaped, its pid may be another's.
  private func reap(_ started: Program.Started) -> ExitStatus? {
    var exit = shim_exit()
    guard shim_look_pidfd(started.pidfd, &exit) == 1 else { return nil }
    kill(-started.pid, SIGKILL)
    _ = shim_reap_pidfd(started.pidfd, &exit)
    return exit.kind == 1 ? .exited(exit.value) : .signalled(exit.value)
  }

  private func end(_ started: Program.Started) {
    kill(-started.pid, SIGKILL)
    var watched = pollfd(fd: started.pidfd, events: Int16(POLLIN), revents: 0)
    while reap(started) == nil { poll(&watched, 1, 100) }
  }

  private func unblockSignals() {
    var set = sigset_t()
    sigemptyset(&set)
    for signal in Self.signals { sigaddset(&set, signal) }
    pthread_sigmask(SIG_UNBLOCK, &set, nil)
  }
}
