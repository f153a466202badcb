import Testing

/// Logic that ends its process or signals another can't be run beside other nodes in a simulation: it reports its end (`onEnd`) and asks its
/// host for signals. So only these files do either themselves.
@Suite struct EndsAndSignalsTests {
  /// With the reason.
  private static let known: Set<String> = [
    // The beginning and the end of a process.
    "Supervisor/main.swift", "Shared/Core/ProcessEnd.swift", "Shared/JobKit/ChildProcess.swift",
    // The kernel as the supervisor and the children see it.
    "Supervisor/Host/LinuxSupervisorHost.swift", "Shared/JobKit/LinuxHost.swift", "Shared/Core/ProcessWatch.swift",
    // The one-shot, which has no loop: its reader is gone, its scripts hang, or it was told what it does not know.
    "ConfigProc/ReportPort.swift", "ConfigProc/ScriptRunner.swift", "ConfigProc/ConfigCommand.swift",
    "ConfigProc/ResolveCommand.swift",
  ]
  private static let words = [
    "exit", "_exit", "quick_exit", "abort", "raise", "kill", "killpg", "tgkill", "pthread_kill", "shim_pidfd_kill",
  ]
  /// Whose function of that name it may be: the C library's.
  private static let owners: Set<Substring> = ["Glibc", "ProcessEnd", "Self"]

  /// A call of the C library: not a method of somebody, and no declaration of one.
  static func isSuspect(_ line: Substring) -> Bool {
    let code = SourceFile.code(of: line)
    return words.contains { word in
      code.ranges(of: word + "(").contains { range in
        let before = code[..<range.lowerBound]
        guard let last = before.last else { return true }
        if last.isLetter || last.isNumber || last == "_" { return false }
        if last != "." { return !before.hasSuffix("func ") }
        let owner = before.dropLast()
        return owners.contains(owner[(owner.lastIndex { !$0.isLetter }.map(owner.index(after:)) ?? owner.startIndex)...])
      }
    }
  }

  @Test func onlyTheseFilesEndProcessesAndSendSignals() {
    var found: [String: String] = [:]
    for file in SourceFile.all(below: "Sources", endings: [".swift"]) {
      guard let line = file.lines.first(where: Self.isSuspect) else { continue }
      found[String(file.path.dropFirst("Sources/".count))] = "\(file.path): \(line)"
    }
    let new = found.filter { !Self.known.contains($0.key) }.values.sorted()
    #expect(new.isEmpty, "report the end with onEnd, and ask the host for signals: \(new)")
    let stale = Self.known.subtracting(found.keys).sorted()
    #expect(stale.isEmpty, "listed without need: \(stale)")
  }

  @Test(arguments: [
    ("  exit(2)", true), ("guard ok else { _exit(1) }", true), ("Glibc.kill(pid, SIGKILL)", true), ("kill(-pid, SIGTERM)", true),
    ("killpg(group, 9)", true), ("func kill(_ pid: Int32)", false), ("host.kill(pid)", false), ("ProcessEnd.exit(0)", true),
    ("// exit(2)", false), ("onExit(code)", false), ("process.exit(code)", false), ("Self.exit(withError: error)", true),
  ])
  func whatCounts(line: String, isSuspect: Bool) {
    #expect(Self.isSuspect(line[...]) == isSuspect)
  }
}
