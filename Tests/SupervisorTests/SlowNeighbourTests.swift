import Core
import Fixture
import Glibc
import Testing

@testable import Supervisor

/// Everybody whom the supervisor talks to stands still, all at once: it goes on with its work.
@Suite(.serialized) struct SlowNeighbourTests {
  /// A pipe with a name that is full and has no reader but ourselves.
  private func fullPipe(_ path: String) throws -> Int32 {
    guard mkfifo(path, 0o600) == 0 else { throw FixtureError("mkfifo: \(errno)") }
    let fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC)
    let bytes = [UInt8](repeating: 46, count: 4096)
    while write(fd, bytes, bytes.count) > 0 {}
    return fd
  }

  @Test func nobodyKeepsTheSupervisorFromItsWork() throws {
    try Stage.play { stage in
      let manager = try NotifySocket(path: stage.path + "/notify")
      stage.environment["NOTIFY_SOCKET"] = manager.path
      stage.environment["WATCHDOG_USEC"] = "40000"
      stage.environment["DISPATCHER_HEALTHY_SECONDS"] = "0.2"
      let pipes = try ["stderr", "health", "watched"].map { try fullPipe(stage.path + "/" + $0) }
      defer { for pipe in pipes { close(pipe) } }
      // The test's end is non-blocking; what the service gets is not.
      let errors = open(stage.path + "/stderr", O_RDWR | O_CLOEXEC)
      defer { close(errors) }
      try stage.behave("configd", "ok health=\(stage.path)/health watch=\(stage.path)/watched every=1")
      try stage.start(["-d"], errors: .descriptor(errors))
      try stage.see("work") { try stage.status().phase == "working" }

      let deaf = try operators(stage, count: 8)
      defer { for fd in deaf { close(fd) } }
      Fixture.pause(.seconds(1))
      let start = ContinuousClock.now
      #expect(try stage.command("health").ending == .exited(0))
      #expect(ContinuousClock.now - start < .seconds(4))

      try stage.signal("poller", SIGSTOP)
      try stage.see("the replacement of a stopped child", within: .seconds(4)) { try stage.child("poller").generation >= 2 }
      #expect(try stage.stop(within: .seconds(8)) == .exited(0))
      // What was true at the end is what is heard at the end, though most of it was never taken.
      manager.drain()
      #expect(manager.messages.first?["READY"] == "1" || manager.latest("READY") == "1")
    }
  }

  /// Clients that ask for much and read nothing.
  private func operators(_ stage: Stage, count: Int) throws -> [Int32] {
    let directory = stage.runtime + "/" + (directoryEntries(stage.runtime).first ?? "")
    let question = Array(String(repeating: "{\"command\":\"status\"}\n", count: 5000).utf8)
    return (0..<count).map { _ in
      let fd = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
      _ = SocketAddress.use(directory: directory, name: OperatorSocket.name) { connect(fd, $0, $1) }
      _ = question.withUnsafeBytes { send(fd, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
      return fd
    }
  }
}
