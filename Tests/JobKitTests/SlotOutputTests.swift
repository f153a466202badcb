import Core
import Glibc
import Testing

@testable import JobKit

@Suite struct SlotOutputTests {
  private final class Heard {
    var bytes: [UInt8] = []
    var text: String { String(decoding: bytes, as: UTF8.self) }
  }

  private func text(_ output: SlotOutput, _ heard: Heard) -> String {
    output.drain()
    return heard.text
  }

  @Test(arguments: ["/nonexistent/poller.0.out", "/proc/poller.0.out", "/dev/null"])
  func whereThereCanBeNoFIFOAScriptHasAPipeAllTheSame(path: String) throws {
    let heard = Heard()
    let output = try SlotOutput(path: { path }, loop: try EventLoop()) { heard.bytes += Array($0) }
    #expect(!output.isInPlace)
    #expect(write(output.scriptEnd, "hello", 5) == 5)
    #expect(text(output, heard) == "hello")
    // As with a FIFO: a script that writes needs nobody who reads.
    #expect(fcntl(output.scriptEnd, F_GETFL) & O_ACCMODE == O_RDWR)
  }

  @Test func aScriptIsFoundByWhatItHasWhenTheNameIsGone() throws {
    let directory = "/tmp/slotoutput-\(getpid())-\(UInt32.random(in: 0 ... .max))"
    mkdir(directory, 0o700)
    let path = directory + "/poller.3.out"
    defer {
      unlink(path)
      rmdir(directory)
    }
    let loop = try EventLoop()
    let heard = Heard()
    var first: SlotOutput? = try SlotOutput(path: { path }, loop: loop) { _ in }
    let end = try #require(first).scriptEnd
    var program = Program(
      path: "/bin/sh", arguments: ["-c", "read line <\(directory)/go; echo late >&2; sleep 60"], environment: [], input: end, output: end,
      error: end)
    program.ownSession = true
    mkfifo(directory + "/go", 0o600)
    defer { unlink(directory + "/go") }
    let pid = try program.startForReaper()
    defer {
      kill(-pid, SIGKILL)
      waitpid(pid, nil, 0)
    }
    unlink(path)
    first = nil
    let second = try SlotOutput(path: { path }, loop: loop, writer: pid) { heard.bytes += Array($0) }
    let go = open(directory + "/go", O_RDWR)
    // Open until the end: the script may not have come to its reading yet.
    defer { close(go) }
    _ = write(go, "\n", 1)
    let limit = MonotonicTime.now + .seconds(5)
    while heard.bytes.isEmpty, MonotonicTime.now < limit {
      second.drain()
      usleep(5000)
    }
    #expect(heard.text == "late\n")
    // The next script of the slot gets one with a name.
    #expect(!second.isInPlace)
    let third = try SlotOutput(path: { path }, loop: loop) { _ in }
    #expect(third.isInPlace)
  }
}
