import Glibc

/// Finds a running librenms-service.py: the unit that LibreNMS ships starts it without a lock.
enum PythonService {
  /// Whether this command line runs the script of this installation. An editor that has the file open does not.
  /// `working`: the process's working directory, needed where the script is named without a path.
  static func runs(_ arguments: [String], working: String?, base: String) -> Bool {
    guard let script = script(arguments) else { return false }
    if script.hasPrefix("/") { return normal(script) == base + "/librenms-service.py" }
    return working.map { normal($0 + "/" + script) == base + "/librenms-service.py" } ?? false
  }

  /// The script that a command line executes: the program itself, or an interpreter's first argument that is no option.
  private static func script(_ arguments: [String]) -> String? {
    guard let program = arguments.first else { return nil }
    if program.hasSuffix("librenms-service.py") { return program }
    let name = program.split(separator: "/").last ?? ""
    guard name.hasPrefix("python") || name.hasPrefix("pypy") else { return nil }
    var rest = arguments.dropFirst()
    while let argument = rest.popFirst() {
      // The options of python that have a value of their own; `-c` and `-m` run something else.
      if argument == "-W" || argument == "-X" { rest = rest.dropFirst() } else if argument == "-c" || argument == "-m" { return nil }
      if !argument.hasPrefix("-") { return argument.hasSuffix("librenms-service.py") ? argument : nil }
    }
    return nil
  }

  /// Without `.`, `..` and empty parts; links are resolved where the file still exists.
  private static func normal(_ path: String) -> String {
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

  /// The pid of a live process that runs the script; processes that this user may not look at can't be told apart and are skipped.
  static func find(base: String) -> Int32? {
    guard let directory = opendir("/proc") else { return nil }
    defer { closedir(directory) }
    while let entry = readdir(directory) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
      guard let pid = Int32(name), pid != getpid(), let arguments = arguments(pid), !arguments.isEmpty else { continue }
      if runs(arguments, working: SymbolicLink.read("/proc/\(pid)/cwd"), base: base) { return pid }
    }
    return nil
  }

  private static func arguments(_ pid: Int32) -> [String]? {
    let fd = open("/proc/\(pid)/cmdline", O_RDONLY | O_CLOEXEC)
    guard fd >= 0 else { return nil }
    defer { close(fd) }
    var bytes = [UInt8](repeating: 0, count: 4096)
    let count = bytes.withUnsafeMutableBytes { read(fd, $0.baseAddress, $0.count) }
    return count <= 0 ? nil : bytes[..<count].split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
  }
}
