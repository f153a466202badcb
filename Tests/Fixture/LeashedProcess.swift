import Glibc

/// A server that ends with this process, however this process ends.
///
/// A shell between us and the server has one end of a socket pair for its input. When our end closes, the shell kills the server, also a
/// stopped one, and removes its directory: a test that crashes leaves nothing behind.
public final class LeashedProcess {
  /// Of the server itself.
  public let pid: pid_t
  private let keeper: ChildProcess
  private let directory: String
  private var leash: Int32

  /// What the server prints is appended to `log` in the directory. Throws if it can't be started.
  public init(_ arguments: [String], directory: String, environment: [String: String], log: String = "log") throws {
    self.directory = directory
    let note = directory + "/server-pid"
    unlink(note)
    // The server must not have the leash itself, so it gets another input. It may have ended by itself before the leash does.
    let script = """
      "$@" </dev/null & p=$!
      echo $p >"$0/server-pid.new" && mv "$0/server-pid.new" "$0/server-pid"
      cat >/dev/null; kill -KILL $p 2>/dev/null; wait $p; [ -e "$0/keep" ] || rm -rf "$0"
      """
    var ends: [Int32] = [-1, -1]
    guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0, &ends) == 0 else {
      throw FixtureError.system("socketpair", errno)
    }
    leash = ends[1]
    defer { close(ends[0]) }
    let output = ChildProcess.Stream.file(directory + "/" + log)
    do {
      keeper = try ChildProcess(
        ["sh", "-c", script, directory] + arguments, environment: environment, input: .descriptor(ends[0]), output: output, errors: output)
    } catch {
      close(ends[1])
      throw error
    }
    let isNoted = eventually(within: .seconds(20), every: .milliseconds(2)) { fileExists(note) }
    guard isNoted, let pid = readText(note).flatMap({ pid_t($0.filter(\.isNumber)) }) else {
      close(ends[1])
      throw FixtureError("\(arguments[0]) was not started")
    }
    self.pid = pid
  }

  /// One that has ended leaves the directory alone: its successor may live there.
  deinit { if leash >= 0 { end(keepingDirectory: false) } }

  /// The shell takes its status when the leash ends; until then one that has ended is a zombie.
  public var isRunning: Bool { leash >= 0 && ProcessInfo.isAlive(pid) }

  public func send(_ signal: Int32) { if leash >= 0 { kill(pid, signal) } }

  /// Lets it end by itself after SIGTERM; after the limit it is killed. The directory stays.
  public func stop(within limit: Duration = .seconds(30)) {
    send(SIGTERM)
    eventually(within: limit, every: .milliseconds(5)) { !isRunning }
    end(keepingDirectory: true)
  }

  /// Kills it and waits until it is gone. The directory of one that was ended before can still be removed by that.
  public func end(keepingDirectory: Bool) {
    guard leash >= 0 else {
      if !keepingDirectory { _ = try? ChildProcess.run(["rm", "-rf", directory]) }
      return
    }
    if keepingDirectory { try? writeText("", to: directory + "/keep") }
    close(leash)
    leash = -1
    if keeper.wait(.seconds(20)) == nil { keeper.end() }
    unlink(directory + "/keep")
  }
}
