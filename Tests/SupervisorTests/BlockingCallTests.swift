import Core
import Glibc
import Testing

@testable import Supervisor

@Suite struct BlockingCallTests {
  /// The ends of a pipe: reading from it hangs until something is written, as a look at a file on a dead file server does.
  private final class Pipe: Sendable {
    let (reader, writer): (Int32, Int32)

    init() {
      var ends: [Int32] = [-1, -1]
      pipe(&ends)
      (reader, writer) = (ends[0], ends[1])
    }

    func wait() -> UInt8 {
      var byte: UInt8 = 0
      return read(reader, &byte, 1) == 1 ? byte : 255
    }

    func send(_ byte: UInt8) {
      var byte = byte
      _ = write(writer, &byte, 1)
    }

    deinit {
      close(reader)
      close(writer)
    }
  }

  @Test func aCallThatHangsStopsNeitherTheLoopNorASecondOneAndIsHeardInTheEnd() throws {
    let loop = try EventLoop()
    let call = try BlockingCall<UInt8>(loop: loop)
    let pipe = Pipe()
    var heard: [UInt8] = []
    var turns = 0
    call.onEnd = {
      heard.append($0)
      loop.stop()
    }
    let first = call.start { pipe.wait() }
    // Not started: one thread hangs, never two.
    let second = call.start { 9 }
    #expect(first == nil && second == nil && call.isRunning)
    for delay in 1...20 {
      loop.schedule(after: .milliseconds(delay)) {
        turns += 1
        if turns == 20 { pipe.send(7) }
      }
    }
    try loop.run()
    #expect(turns == 20 && heard == [7] && !call.isRunning)
    let third = call.start { 8 }
    try loop.run()
    #expect(third == nil && heard == [7, 8])
  }
}
