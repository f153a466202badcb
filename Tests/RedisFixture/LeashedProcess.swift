import Glibc

/// A program that ends with this process, however this process ends.
///
/// A shell between us and the program holds one end of a socket pair. When our end closes, the shell kills the program, also a stopped one,
/// and removes its directory.
final class LeashedProcess {
  private(set) var keeper: pid_t = 0
  private var leash: Int32 = -1

  private let directory: String

  /// `pid` in the directory receives the program's process id, `log` what it prints.
  init(_ arguments: [String], directory: String) throws {
    self.directory = directory
    // The program must not hold the leash itself, so it gets another standard input. It may have ended by itself before the leash does.
    let script =
      "\"$@\" </dev/null & p=$!; echo $p >\"$DIR/pid\"; cat >/dev/null; kill -KILL $p 2>/dev/null; wait $p; [ -e \"$DIR/keep\" ] || rm -rf \"$DIR\""
    var ends: [Int32] = [-1, -1]
    let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    guard socketpair(AF_UNIX, kind, 0, &ends) == 0 else { throw RedisServer.Failure(description: "socketpair: errno \(errno)") }
    defer { close(ends[0]) }
    keeper = try Self.spawn(
      ["sh", "-c", script, "sh"] + arguments, standardInput: ends[0], output: directory + "/log", ["DIR=\(directory)"])
    leash = ends[1]
  }

  /// One that has ended leaves the directory alone: its successor may live there.
  deinit { if leash >= 0 { end(keepingDirectory: false) } }

  /// Kills the program and waits until it is gone.
  func end(keepingDirectory: Bool) {
    guard leash >= 0 else {
      if !keepingDirectory { _ = try? Self.run(["rm", "-rf", directory], output: "/dev/null") }
      return
    }
    if keepingDirectory { try? RedisServer.write("", to: directory + "/keep") }
    defer { unlink(directory + "/keep") }
    close(leash)
    leash = -1
    var status: Int32 = 0
    while waitpid(keeper, &status, 0) < 0 && errno == EINTR {}
  }

  /// Runs a program to its end and returns its exit code, -1 for a signal.
  static func run(_ arguments: [String], output: String, _ environment: [String] = []) throws -> Int32 {
    let child = try spawn(arguments, standardInput: nil, output: output, environment)
    var status: Int32 = 0
    while waitpid(child, &status, 0) < 0 && errno == EINTR {}
    return status & 0x7f == 0 ? (status >> 8) & 0xff : -1
  }

  private static func spawn(_ arguments: [String], standardInput: Int32?, output: String, _ environment: [String]) throws -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    if let standardInput {
      posix_spawn_file_actions_adddup2(&actions, standardInput, 0)
    } else {
      posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    }
    posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_APPEND, 0o600)
    posix_spawn_file_actions_adddup2(&actions, 1, 2)
    for descriptor in Int32(3)..<256 { posix_spawn_file_actions_addclose(&actions, descriptor) }
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    // A test runner's Ctrl-C reaches the group; the leash ends the program, in order.
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP))
    var argv: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
    var envp: [UnsafeMutablePointer<CChar>?] = (environment + ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]).map { strdup($0) } + [nil]
    defer { (argv + envp).forEach { free($0) } }
    var child: pid_t = 0
    let result = posix_spawnp(&child, arguments[0], &actions, &attributes, &argv, &envp)
    guard result == 0 else { throw RedisServer.Failure(description: "\(arguments[0]): errno \(result)") }
    return child
  }
}
