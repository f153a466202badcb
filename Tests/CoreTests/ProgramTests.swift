import Core
import Glibc
import Testing

@Suite(.serialized) struct ProgramTests {
  /// Runs a shell command and returns what it printed and how it ended.
  private func run(_ command: String, _ change: (inout Program) -> Void = { _ in }) throws -> (output: String, status: Core.ExitStatus?) {
    let loop = try EventLoop()
    var ends: [Int32] = [0, 0]
    pipe(&ends)
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    let null = open("/dev/null", O_RDWR | O_CLOEXEC)
    var program = Program(path: "/bin/sh", arguments: ["-c", command], environment: ["A=1"], input: null, output: ends[1], error: ends[1])
    change(&program)
    let started = try program.start()
    close(ends[1])
    var status: Core.ExitStatus?
    let identity = try #require(ProcessIdentity.of(pid: started.pid))
    let watch = try ProcessWatch(identity, pidfd: started.pidfd, isChild: true, loop: loop) {
      status = $0
      loop.stop()
    }
    try withExtendedLifetime(watch) { try loop.run() }
    var bytes = [UInt8](repeating: 0, count: 4096)
    let count = read(ends[0], &bytes, bytes.count)
    close(ends[0])
    close(null)
    return (String(decoding: bytes[..<max(0, count)], as: UTF8.self), status)
  }

  @Test func aScriptHasItsOwnSessionDirectoryEnvironmentAndNoDescriptorsOfOurs() throws {
    let result = try run("echo $A; pwd; ls /proc/self/fd | tr '\\n' ' '; [ $(cut -d' ' -f6 /proc/$$/stat) = $$ ] && echo leader") {
      $0.directory = "/usr"
    }
    // ls itself has 3 open for the listing.
    #expect(result.output == "1\n/usr\n0 1 2 3 leader\n")
    #expect(result.status == .exited(0))
  }

  @Test func noSignalIsBlockedOrIgnoredWhateverThisThreadBlocks() throws {
    var all = sigset_t()
    var old = sigset_t()
    sigfillset(&all)
    pthread_sigmask(SIG_BLOCK, &all, &old)
    defer { pthread_sigmask(SIG_SETMASK, &old, nil) }
    let result = try run("grep -E 'SigBlk|SigIgn' /proc/self/status")
    #expect(result.output == "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n")
  }

  @Test func exitCodesAndSignalsArriveAsTheyAre() throws {
    #expect(try run("exit 6").status == .exited(6))
    #expect(try run("kill -9 $$").status == .signalled(SIGKILL))
  }

  @Test func nicenessIsAdded() throws {
    let result = try run("nice") { $0.nice = 3 }
    #expect(result.output == "\(getpriority(Int32(PRIO_PROCESS.rawValue), 0) + 3)\n")
  }

  @Test func theEnvironmentArrivesByteByByte() throws {
    let odd: [UInt8] = [0x70, 0xE4, 0xFF, 0xC3, 0x0A, 0x1B, 0xED, 0xA0, 0x80]
    let result = try run("printf %s \"$ODD\" | od -An -tx1 -v | tr -d ' \\n'") {
      $0.environment = [CText(bytes: Array("ODD=".utf8) + odd), "PATH=/usr/bin:/bin"]
    }
    #expect(result.output == "70e4ffc30a1beda080")
  }

  @Test func aGroupThatCantBeEnteredIsToldAndDoesNotKeepTheProgramFromStarting() throws {
    let directory = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    defer { close(directory) }
    var program = Program(path: "/bin/true", arguments: [], environment: [], input: 0, output: 1, error: 2)
    program.cgroup = directory
    let started = try program.start()
    close(started.pidfd)
    #expect(started.groupFailure?.number == ENOENT, "\(String(describing: started.groupFailure))")
    var status: Int32 = -1
    #expect(waitpid(started.pid, &status, 0) == started.pid && status == 0)
  }

  /// Where this machine lets us make a control group of version 2.
  @Test func aProgramStartsInItsGroup() throws {
    guard let top = ControlGroupLocation.current().unified?.directory else { return }
    let path = "\(top)/dispatcher-test-\(getpid())"
    guard mkdir(path, 0o755) == 0 else { return }
    defer { rmdir(path) }
    let directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    defer { close(directory) }
    let result = try run("grep ^0:: /proc/self/cgroup") { $0.cgroup = directory }
    #expect(result.output.hasSuffix("/dispatcher-test-\(getpid())\n"), "\(result.output)")
  }

  @Test func aMissingProgramOrDirectoryIsAnErrorThatNamesItAndLeavesNoChild() throws {
    #expect(throws: Program.Failure.self) { try run("true") { $0.path = "/nonexistent/php" } }
    #expect(throws: Program.Failure.self) { try run("true") { $0.directory = "/nonexistent" } }
    #expect(waitpid(-1, nil, WNOHANG) == -1 && errno == ECHILD)
  }
}
