import Fixture
import Testing

/// docs/blocking-calls.md names every call of the loops that could block, and why it can't. This keeps it true.
@Suite struct BlockingCallsTests {
  private static let document = "docs/blocking-calls.md"

  /// Calls of the system that wait, or can: by the name with which sources write them.
  private static let suspects: Set<String> = [
    "open", "openat", "creat", "read", "pread", "write", "pwrite", "send", "sendto", "sendmsg", "recv", "recvfrom", "recvmsg", "connect",
    "accept",
    "bind", "stat", "lstat", "access", "mkdir", "rmdir", "mkfifo", "unlink", "rename", "chmod", "ftruncate", "futimens", "utimensat",
    "fsync",
    "opendir", "readdir", "realpath", "readlink", "symlink", "poll", "select", "sleep", "usleep", "nanosleep", "waitpid", "waitid",
    "getaddrinfo", "getnameinfo", "getpwuid", "getpwnam", "gethostname", "localtime_r", "tzset", "flock", "system", "popen", "pthread_join",
    "pthread_cond_wait", "shim_lock", "shim_allocate", "shim_map", "shim_start", "shim_epoll_wait", "shim_attribute",
    "systemd_journal_send",
    "ring.flush", "FileText.read", "FileIdentity.of", "SymbolicLink.read",
  ]
  /// Words that methods of ours have for names too: the system's take a descriptor first.
  private static let common: Set<String> = ["read", "write", "send", "accept"]
  private static let descriptors: Set<Substring> = ["fd", "readEnd", "wakeup", "descriptor", "file", "client", "channel"]

  /// Where the loops of supervisor and children live; commands and one-shots may wait.
  private static let loops = SourceFile.all(below: "Sources", endings: [".swift"]).filter { file in
    ["Supervisor", "Core", "JobKit", "Redis"].contains(file.target) && !file.path.contains("/CommandLine/")
      || file.target.hasSuffix("Proc") && file.target != "ConfigProc"
  }

  private static let found = loops.reduce(into: Set<Row>()) { $0.formUnion(calls($1)) }

  private struct Row: Hashable, CustomStringConvertible {
    var file: String
    var call: String
    var description: String { "\(file): \(call)" }
  }

  /// The calls that a file makes: a suspect's name and a bracket, behind nothing but `Glibc.`, outside of comments and strings.
  private static func calls(_ file: SourceFile) -> Set<Row> {
    var found: Set<Row> = []
    for line in file.lines where line.contains("(") {
      let parts = SourceFile.code(of: line).split(separator: "(", omittingEmptySubsequences: false)
      for (part, after) in zip(parts, parts.dropFirst()) {
        let name = String(part.reversed().prefix { $0.isLetter || $0.isNumber || $0 == "_" || $0 == "." }.reversed())
        let call = name.hasPrefix("Glibc.") ? String(name.dropFirst(6)) : name.hasSuffix(".ring.flush") ? "ring.flush" : name
        guard suspects.contains(call) else { continue }
        let before = part.dropLast(name.count)
        let isDeclared = before.hasSuffix("func ") || before.hasSuffix("case ")
        // `stat()` makes a structure, `open()` is one of ours.
        let isOurs = after.first == ")" || common.contains(call) && !descriptors.contains(after.prefix { $0.isLetter })
        if !isDeclared, !isOurs { found.insert(Row(file: file.name, call: call)) }
      }
    }
    return found
  }

  /// Rows of the table: files in the first column, calls in the second, a reason in the third.
  private static func rows() -> Set<Row> {
    var rows: Set<Row> = []
    for line in (readText(SampleNode.sourceDirectory + "/" + document) ?? "").split(separator: "\n") where line.hasPrefix("| `") {
      let cells = line.split(separator: "|")
      guard cells.count >= 3, cells[2].count > 10 else { continue }
      for file in words(cells[0]) { for call in words(cells[1]) { rows.insert(Row(file: file, call: call)) } }
    }
    return rows
  }

  private static func words(_ cell: Substring) -> [String] {
    cell.split(separator: "`", omittingEmptySubsequences: false).enumerated().filter { !$0.offset.isMultiple(of: 2) }.map {
      String($0.element)
    }
  }

  @Test func everyCallThatCouldBlockHasItsReason() {
    #expect(Self.found.count > 40)
    let missing = Self.found.subtracting(Self.rows()).map(\.description).sorted()
    #expect(missing.isEmpty, "not in \(Self.document): \(missing)")
  }

  @Test func theTableNamesNothingThatIsNotThere() {
    let stale = Self.rows().subtracting(Self.found).map(\.description).sorted()
    #expect(stale.isEmpty, "\(stale)")
  }
}
