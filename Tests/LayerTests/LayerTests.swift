import Fixture
import Testing

/// The rules of the layers that the compiler does not enforce, and those it does, as one sees them in the built programs.
@Suite struct LayerTests {
  private static let sources = SourceFile.all(below: "Sources", endings: [".swift"])
  private static let everything = sources + SourceFile.all(below: "Tests", endings: [".swift"])
  private static let processes = Set(sources.map(\.target).filter { $0.hasSuffix("Proc") || $0 == "Supervisor" })

  @Test func theSourcesAreThere() {
    #expect(Self.sources.count > 30)
    #expect(
      Self.processes == [
        "Supervisor", "ConfigProc", "PollerProc", "DiscoveryProc", "ServicesProc", "PingProc", "AlertingProc", "BillingProc",
        "MaintenanceProc",
      ])
  }

  @Test func decisionsImportNothing() {
    let pure = Self.sources.filter { file in ["Machine.swift", "Policy.swift", "Plan.swift"].contains { file.name.hasSuffix($0) } }
    #expect(!pure.isEmpty)
    // A process is its pid and start time: a value.
    let values = ["SlotMachine.swift": ["Core"]]
    for file in pure { #expect(file.imports == values[file.name] ?? [], "\(file.path) imports \(file.imports)") }
  }

  @Test func processesDoNotImportEachOther() {
    for file in Self.sources {
      let others = Self.processes.subtracting([file.target])
      #expect(others.isDisjoint(with: file.imports), "\(file.path) imports \(file.imports)")
    }
  }

  @Test func lowerLayersDoNotKnowHigherOnes() {
    let forbidden: [String: Set<String>] = [
      "Core": ["Database", "JobKit", "CMariaDB", "CHiredis", "ArgumentParser"],
      "Database": ["JobKit", "ArgumentParser"],
      "JobKit": ["ArgumentParser", "CMariaDB"],
      "Supervisor": ["Database", "JobKit", "CMariaDB", "CHiredis"],
    ]
    for file in Self.sources {
      let wrong = forbidden[file.target, default: []].union(file.target == "Core" ? Self.processes : []).intersection(file.imports)
      #expect(wrong.isEmpty, "\(file.path) imports \(wrong.sorted())")
    }
  }

  /// What decides in the supervisor runs in a simulation too: the kernel is behind its host. These files are the host's, or a command's.
  @Test func theSupervisorDecidesWithoutAKernel() {
    let known: Set<String> = [
      "LinuxSupervisorHost.swift", "LinuxSupervisorHost+Places.swift", "NotifySocket.swift", "OperatorSocket.swift",
      "OperatorConnection.swift",
      "ControlGroups.swift", "RuntimePlace.swift", "RuntimeClaim.swift", "InstanceLock.swift", "BaseDirectory.swift",
      "ExecutableLookup.swift",
      "OperatorClient.swift", "main.swift",
      // The numbers of signals.
      "Supervisor.swift", "DeadlineEnforcer.swift",
    ]
    let kernel: Set<String> = ["Glibc", "CLinuxShims", "CSystemd"]
    let found = Self.sources.filter { file in
      file.target == "Supervisor" && !file.path.contains("/CommandLine/") && !kernel.isDisjoint(with: file.imports)
    }
    #expect(Set(found.map(\.name)) == known)
  }

  @Test func nothingThatStaysRunningLoadsWhatIsLarge() {
    let large: Set<String> = ["Foundation", "FoundationNetworking", "FoundationXML", "FoundationInternationalization", "Dispatch"]
    for file in Self.sources { #expect(large.isDisjoint(with: file.imports), "\(file.path) imports \(file.imports)") }
  }

  @Test func filesStaySmall() {
    for file in Self.everything { #expect(file.lines.count <= 400, "\(file.path) has \(file.lines.count) lines") }
  }

  /// It may be set back by hours at any moment: nobody waits by it. A file that reads it is here with what it reads it for.
  @Test func onlyTheseFilesReadTheWallClock() {
    let known: Set<String> = [
      // The reading itself, and the texts of log lines.
      "Clock.swift", "EpollPoller.swift", "wait.c", "DispatcherLog.swift",
      // Ticks are multiples of the wall clock; TickPolicy bounds the wait by a period of monotonic time. Scores order the queues.
      "Dispatch.swift",
      // For reports: when a job began, how far clocks are apart.
      "JobEngine+Start.swift", "JobEngine+Table.swift", "ClockReading.swift",
    ]
    let words = ["WallClock", "CLOCK_REALTIME", "time(nil)", "gettimeofday", "SystemClock", "Date()", "shim_realtime_ns"]
    let files = SourceFile.all(below: "Sources", endings: [".swift", ".c"])
    for file in files where !known.contains(file.name) {
      let found = file.lines.filter { line in !line.contains("//") && words.contains { line.contains($0) } }
      #expect(found.isEmpty, "\(file.path): \(found)")
    }
    // A condition waits by the wall clock unless its attributes say otherwise.
    for file in files where file.lines.contains(where: { $0.contains("pthread_cond_timedwait") }) {
      #expect(file.lines.contains { $0.contains("pthread_condattr_setclock") && $0.contains("CLOCK_MONOTONIC") }, "\(file.path)")
    }
  }

  /// What a node asks is a value (`DatabaseQuestion`), which a simulation answers too: how it is asked is known in one folder, and to the one-shot.
  @Test func onlyTheseFoldersKnowSQL() {
    let words = ["SELECT ", "INSERT INTO", "INSERT IGNORE", "UPDATE `", "DELETE FROM", " FROM `", " WHERE ", "DatabaseConnection("]
    func hits(_ file: SourceFile) -> [Substring] {
      file.lines.filter { line in !line.trimmingPrefix(while: \.isWhitespace).hasPrefix("//") && words.contains { line.contains($0) } }
    }
    let isKnown = { (file: SourceFile) in
      ["Database", "ConfigProc"].contains(file.target) || file.path.hasPrefix("Sources/Shared/JobKit/Store/MariaDB/")
    }
    for file in Self.sources where !isKnown(file) { #expect(hits(file).isEmpty, "\(file.path): \(hits(file))") }
    #expect(Self.sources.filter(isKnown).contains { !hits($0).isEmpty }, "the words are those of the statements")
  }

  @Test func headersOfCTargetsIncludeNoSystem() {
    for file in SourceFile.all(below: "Sources", endings: [".h"]) {
      let includes = file.lines.filter { $0.hasPrefix("#include <") }
      #expect(includes.allSatisfy { ["#include <stdint.h>", "#include <stddef.h>"].contains($0) }, "\(file.path): \(includes)")
    }
  }

  @Test(arguments: [
    // Program, and libraries that it must not load: the supervisor nothing that hangs on a server, nobody the whole of Foundation.
    ("librenms-dispatcher", ["libmariadb", "libhiredis", "libssl", "libFoundation.so", "libFoundationInternationalization"]),
    ("librenms-pollerd", ["libFoundation.so", "libFoundationInternationalization"]),
    ("librenms-discoveryd", ["libFoundation.so", "libFoundationInternationalization"]),
    ("librenms-servicesd", ["libFoundation.so", "libFoundationInternationalization"]),
    ("librenms-pingd", ["libFoundation.so", "libFoundationInternationalization"]),
    ("librenms-alertingd", ["libFoundation.so", "libFoundationInternationalization"]),
    ("librenms-billingd", ["libFoundation.so", "libFoundationInternationalization"]),
    ("librenms-maintenanced", ["libFoundation.so", "libFoundationInternationalization"]),
  ])
  func programsLoadOnlyWhatTheyMay(_ program: String, _ forbidden: [String]) throws {
    let path = SampleNode.buildDirectory + "/" + program
    #expect(fileExists(path))
    let loaded = try ChildProcess.run(["ldd", path])
    #expect(loaded.ending == .exited(0))
    #expect(loaded.output.contains("libswiftCore"))
    for library in forbidden { #expect(!loaded.output.contains(library), "\(program) loads \(library)") }
  }
}
