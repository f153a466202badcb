import Testing

/// A loop that takes clocks and dice from its poller and generator alone can be run by a simulation. So nothing else reads them.
@Suite struct ClocksAndDiceTests {
  /// Files that read a clock of the process or throw dice of their own, with the reason.
  private static let known: Set<String> = [
    // What a loop has them from.
    "EpollPoller.swift", "EventLoop.swift",
    // Threads beside the loop, and the end of a process.
    "DispatcherLog.swift", "LogRing.swift", "SQLWorker.swift", "MariaDBSession+Devices.swift", "MariaDBSession+Due.swift",
    "ClockReading.swift", "ScriptFilesCheck.swift",
    // Commands and one-shots, which have no loop.
    "OperatorClient.swift", "ReportPort.swift", "Resolution.swift", "ScriptRunner.swift",
  ]
  private static let words = [".now", ".random(", "randomElement", "shuffle"]
  /// Who may be asked: `loop.now`, and the database's clock in the text of a statement.
  private static let askable = ["loop", "poller", "ServerZone"]

  private static func isSuspect(_ line: Substring) -> Bool {
    let code = SourceFile.code(of: line)
    return words.contains { word in
      code.ranges(of: word).contains { range in
        let next = code[range.upperBound...].first
        let isWhole = word != ".now" || next.map { !$0.isLetter && !$0.isNumber } ?? true
        return isWhole && !askable.contains { code[..<range.lowerBound].hasSuffix($0) }
      }
    }
  }

  @Test func onlyTheseFilesReadClocksAndThrowDice() {
    var found: [String: String] = [:]
    for file in SourceFile.all(below: "Sources", endings: [".swift"]) {
      if let line = file.lines.first(where: Self.isSuspect) { found[file.name] = "\(file.path): \(line)" }
    }
    let new = found.filter { !Self.known.contains($0.key) }.values.sorted()
    #expect(new.isEmpty, "ask the loop (loop.now, loop.wall, loop.random): \(new)")
    let stale = Self.known.subtracting(found.keys).sorted()
    #expect(stale.isEmpty, "listed without need: \(stale)")
  }

  @Test(arguments: [
    ("let now = MonotonicTime.now", true), ("at: .now, text", true), ("let now = loop.now", false), ("engine.loop.now + limit", false),
    ("// not .now", false), ("log.info(\"it is .now\")", false), ("nowhere(.nowhere)", false), ("dice: .random(in: 0...1)", true),
    ("loop.random(in: 0...1)", false), ("devices.shuffled()", true), ("devices.randomElement()", true),
  ])
  func whatCounts(line: String, isSuspect: Bool) {
    #expect(Self.isSuspect(line[...]) == isSuspect)
  }
}
