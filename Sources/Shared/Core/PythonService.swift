import Glibc

/// Finds a running librenms-service.py: the unit that LibreNMS ships starts it without a lock.
public enum PythonService {
  private static let name = "librenms-service.py"

  /// Whether this command line runs the script of this installation. An editor or a checker that has the file open does not.
  /// `working`: the process's working directory, needed where the script has no absolute path; nil = not known, then it is not ours.
  /// `resolved`: a path without links, `.` and `..`.
  public static func runs(
    _ arguments: [String], working: String?, base: String, resolved: (String) -> String = PythonService.resolved
  ) -> Bool {
    guard let script = script(arguments) else { return false }
    let own = resolved(base + "/" + name)
    if script.hasPrefix("/") { return resolved(script) == own }
    return working.map { resolved($0 + "/" + script) == own } ?? false
  }

  /// The script that a command line executes: an interpreter's first argument that is no option, or the program itself.
  private static func script(_ arguments: [String]) -> String? {
    guard let program = arguments.first else { return nil }
    let own = program.split(separator: "/").last ?? ""
    guard own.hasPrefix("python") || own.hasPrefix("pypy") else { return own == name ? program : nil }
    var rest = arguments.dropFirst()
    while let argument = rest.popFirst() {
      // A lone dash is a program on standard input.
      guard argument.hasPrefix("-") else { return argument }
      if argument == "-" { return nil }
      if argument == "--" { return rest.first }
      if argument.hasPrefix("--") {
        if argument == "--check-hash-based-pycs" { rest = rest.dropFirst() }
        continue
      }
      // Letters may share a dash (-uB); the rest of the word, else the next one, is the value of -W, -X and -m. -c runs something else.
      let letters = argument.dropFirst()
      guard let special = letters.firstIndex(where: { "cmWX".contains($0) }) else { continue }
      let value = letters.index(after: special) == letters.endIndex ? rest.popFirst() : String(letters[letters.index(after: special)...])
      switch letters[special] {
      case "c": return nil
      // A module is looked for in the working directory.
      case "m": return value.map { $0 + ".py" }
      default: break
      }
    }
    return nil
  }

  /// Without `.`, `..` and empty parts; links are resolved where the file still exists.
  public static func resolved(_ path: String) -> String {
    if let resolved = realpath(path, nil) {
      defer { free(resolved) }
      return String(cString: resolved)
    }
    var parts: [Substring] = []
    for part in path.split(separator: "/") where part != "." {
      if part == ".." { _ = parts.popLast() } else { parts.append(part) }
    }
    return "/" + parts.joined(separator: "/")
  }

  /// The live processes that run the script; those that this user may not look at can't be told apart and are left out.
  public static func find(base: String) -> [Int32] {
    guard let directory = opendir("/proc") else { return [] }
    defer { closedir(directory) }
    var found: [Int32] = []
    while let entry = readdir(directory) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
      guard let pid = Int32(name), pid != getpid() else { continue }
      if runs(arguments(of: pid), working: SymbolicLink.read("/proc/\(pid)/cwd"), base: base) { found.append(pid) }
    }
    return found
  }

  /// A process's command line; empty for one that is gone or has none.
  public static func arguments(of pid: Int32) -> [String] {
    (FileText.read("/proc/\(pid)/cmdline", limit: 4096) ?? "").split(separator: "\0").map(String.init)
  }
}
