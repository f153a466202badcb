import Glibc
import Testing

@testable import Core

@Suite struct LogRingTests {
  /// logrotate renames a file and makes a new one, or none; no signal tells us.
  @Test(arguments: [true, false]) func aFileThatWasMovedAwayGetsNothingMore(madeAnew: Bool) {
    let path = "/tmp/lnmsd-ring-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
    defer { for end in ["", ".1"] { unlink(path + end) } }
    let ring = LogRing()
    ring.write(Array("before\n".utf8), to: .file(path))
    ring.flush(limit: .seconds(5))
    #expect(rename(path, path + ".1") == 0)
    if madeAnew { close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o640)) }
    ring.write(Array("after\n".utf8), to: .file(path))
    ring.flush(limit: .seconds(5))
    #expect(FileText.read(path + ".1", limit: 100) == "before\n")
    #expect(FileText.read(path, limit: 100) == "after\n")
  }
}
