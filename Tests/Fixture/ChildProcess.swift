import CFixture
import Glibc

/// A process that a fixture started, in a session of its own; killed with its group when the fixture lets go of it.
public final class ChildProcess {
  public enum Ending: Equatable, Sendable {
    case exited(Int32)
    case signalled(Int32)
    /// Somebody else in this process took the status.
    case unknown
  }

  public enum Stream {
    /// Of input: nothing comes.
    case discarded
    /// Appended to the file; of input: read from its begin.
    case file(String)
    case descriptor(Int32)
  }

  public let pid: pid_t
  public private(set) var ending: Ending?

  /// `arguments[0]` is looked up in PATH. The child has default signal dispositions, an empty mask and no other descriptors.
  public init(
    _ arguments: [String], environment: [String: String]? = nil, directory: String? = nil,
    input: Stream = .discarded, output: Stream = .discarded, errors: Stream = .discarded
  ) throws {
    pid = try Self.spawn(arguments, environment: environment, directory: directory, input: input, output: output, errors: errors)
  }

  /// Starts a process that somebody else waits for, with its output discarded.
  public static func startUnwatched(_ arguments: [String], environment: [String: String], directory: String) throws {
    _ = try spawn(arguments, environment: environment, directory: directory, input: .discarded, output: .discarded, errors: .discarded)
  }

  private static func spawn(
    _ arguments: [String], environment: [String: String]?, directory: String?, input: Stream, output: Stream, errors: Stream
  ) throws -> pid_t {
    var streams: [(number: Int32, owned: Bool)] = []
    defer { for stream in streams where stream.owned { close(stream.number) } }
    streams.append(try descriptor(for: input, flags: O_RDONLY))
    for stream in [output, errors] { streams.append(try descriptor(for: stream, flags: O_WRONLY | O_CREAT | O_APPEND)) }
    let variables = environment.map { $0.map { "\($0.key)=\($0.value)" } } ?? ownEnvironment()
    let argv = arguments.map { strdup($0) }
    let envp = variables.map { strdup($0) }
    defer { (argv + envp).forEach { free($0) } }
    let started = fixture_spawn(
      argv.map { UnsafePointer($0) } + [nil], envp.map { UnsafePointer($0) } + [nil], directory, streams[0].number, streams[1].number,
      streams[2].number
    )
    guard started > 0 else { throw FixtureError.system("start \(arguments[0])", -started) }
    return started
  }

  private static func descriptor(for stream: Stream, flags: Int32) throws -> (number: Int32, owned: Bool) {
    let path: String
    switch stream {
    case .descriptor(let number): return (number, false)
    case .discarded: path = "/dev/null"
    case .file(let name): path = name
    }
    let number = open(path, flags | O_CLOEXEC, 0o644)
    guard number >= 0 else { throw FixtureError.system("open \(path)", errno) }
    return (number, true)
  }

  static func ownEnvironment() -> [String] {
    (readText("/proc/self/environ") ?? "").split(separator: "\0").map(String.init)
  }

  public func send(_ signal: Int32) { if ending == nil { kill(pid, signal) } }

  /// Has it ended? Reaps it if so.
  @discardableResult
  public func poll() -> Ending? {
    guard ending == nil else { return ending }
    var status: Int32 = 0
    let reaped = waitpid(pid, &status, WNOHANG)
    if reaped < 0 && errno == ECHILD { ending = .unknown }
    guard reaped == pid else { return ending }
    ending = status & 0x7f == 0 ? .exited(status >> 8 & 0xff) : .signalled(status & 0x7f)
    return ending
  }

  /// Waits for the end; nil if it lives on past the limit.
  public func wait(_ limit: Duration) -> Ending? {
    eventually(within: limit, every: .milliseconds(2)) { poll() != nil }
    return ending
  }

  /// SIGKILL for it and its group, and the wait for the end.
  public func end() {
    guard ending == nil else { return }
    kill(-pid, SIGKILL)
    kill(pid, SIGKILL)
    _ = wait(.seconds(10))
  }

  deinit { end() }

  /// Runs a command to its end and returns what it printed. Throws if it can't start or outlives the limit.
  public static func run(
    _ arguments: [String], environment: [String: String]? = nil, directory: String? = nil, input: Stream = .discarded,
    limit: Duration = .seconds(60)
  ) throws -> (ending: Ending, output: String, errors: String) {
    var template = Array("/tmp/lnmsd-run-XXXXXX".utf8CString)
    guard let made = mkdtemp(&template) else { throw FixtureError.system("mkdtemp", errno) }
    let directoryOfStreams = String(cString: made)
    let (output, errors) = (directoryOfStreams + "/out", directoryOfStreams + "/err")
    defer {
      unlink(output)
      unlink(errors)
      rmdir(directoryOfStreams)
    }
    let process = try ChildProcess(
      arguments, environment: environment, directory: directory, input: input, output: .file(output), errors: .file(errors))
    guard let ending = process.wait(limit) else { throw FixtureError("\(arguments.joined(separator: " ")) did not end within \(limit)") }
    return (ending, readText(output) ?? "", readText(errors) ?? "")
  }
}
