import Fixture
import Glibc
import Testing

/// What a process said last is written, whatever ends it.
@Suite struct LastWordsTests {
  /// Swift's own look at crashes comes before ours, where it is there; the installed programs have none.
  private static let environment = ProcessMark().environment(["SWIFT_BACKTRACE": "enable=no"])

  @Test(
    arguments: [
      ("exit", [.exited(3)]), ("trap", [.signalled(SIGILL), .signalled(SIGTRAP)]), ("thread", [.signalled(SIGILL), .signalled(SIGTRAP)]),
      ("abort", [.signalled(SIGABRT)]), ("segv", [.signalled(SIGSEGV)]),
    ] as [(String, [ChildProcess.Ending])])
  func everyWayOutWritesTheLogFirst(way: String, endings: [ChildProcess.Ending]) throws {
    let place = try TemporaryDirectory()
    // A reader that takes its time, so that much is left at the end.
    let process = try ChildProcess(
      ["sh", "-c", "(\"$0\" end \(way) 2>&1; echo $? >status) | (sleep 0.2; cat >log)", SampleNode.buildDirectory + "/SpawnProbe"],
      environment: Self.environment, directory: place.path)
    #expect(process.wait(.seconds(10)) == .exited(0))
    // Swift's own message may stand between two of them.
    let text = readText(place.path + "/log") ?? ""
    let lines = text.split(separator: "\n").count { $0.hasPrefix("probe CRITICAL: line ") }
    #expect(lines >= 999 && text.contains("probe CRITICAL: line 1000"))
    let code = Int32((readText(place.path + "/status") ?? "").split(separator: "\n").first ?? "")
    let expected = endings.map { ending -> Int32 in
      switch ending {
      case .exited(let code): return code
      case .signalled(let signal): return 128 + signal
      case .unknown: return -1
      }
    }
    #expect(code.map { expected.contains($0) } == true, "\(String(describing: code))")
  }

  @Test func aLogThatNobodyReadsCostsTheEndASecondAtMost() throws {
    let place = try TemporaryDirectory()
    for way in ["exit", "abort"] {
      let began = wallClock()
      let process = try ChildProcess(
        [
          "sh", "-c", "mkfifo f; exec 9<>f; head -c 65536 /dev/zero >&9; exec \"$0\" end \(way) 2>&9",
          SampleNode.buildDirectory + "/SpawnProbe",
        ],
        environment: Self.environment, directory: place.path)
      #expect(process.wait(.seconds(10)) != nil)
      #expect(wallClock() - began < 3)
      unlink(place.path + "/f")
    }
  }
}
