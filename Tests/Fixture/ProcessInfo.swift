import Glibc

/// What /proc tells about a process.
public struct ProcessInfo: Sendable, CustomStringConvertible {
  public var pid: pid_t
  public var parent: pid_t
  public var state: Character
  public var session: pid_t
  /// CPU time used so far, its own and that of children it has waited for.
  public var cpu: Duration
  public var waitedCPU: Duration
  /// The file name of the executable; empty where it can't be read.
  public var executable: String
  public var command: String

  public var description: String { "\(pid) (parent \(parent), state \(state)): \(command)" }

  public init?(_ pid: pid_t) {
    guard let stat = readText("/proc/\(pid)/stat"), let close = stat.lastIndex(of: ")") else { return nil }
    let fields = stat[stat.index(after: close)...].split(separator: " ")
    guard fields.count > 14, let parent = pid_t(fields[1]), let session = pid_t(fields[3]), let state = fields[0].first else { return nil }
    func ticks(_ index: Int) -> Duration { .milliseconds((Int(fields[index]) ?? 0) * 1000 / sysconf(Int32(_SC_CLK_TCK))) }
    self.pid = pid
    self.parent = parent
    self.state = state
    self.session = session
    cpu = ticks(11) + ticks(12)
    waitedCPU = ticks(13) + ticks(14)
    executable = linkTarget("/proc/\(pid)/exe").map { String($0.split(separator: "/").last ?? "") } ?? ""
    command = (readText("/proc/\(pid)/cmdline") ?? "").split(separator: "\0").joined(separator: " ")
  }

  public static func all() -> [ProcessInfo] {
    directoryEntries("/proc").compactMap { pid_t($0).flatMap { ProcessInfo($0) } }
  }

  /// The process and everything below it.
  public static func tree(of root: pid_t) -> [ProcessInfo] {
    let all = all()
    var members: Set<pid_t> = [root]
    var grown = true
    while grown {
      grown = false
      for process in all where members.contains(process.parent) && members.insert(process.pid).inserted { grown = true }
    }
    return all.filter { members.contains($0.pid) }
  }

  public static func isAlive(_ pid: pid_t) -> Bool {
    ProcessInfo(pid).map { $0.state != "Z" && $0.state != "X" } ?? false
  }

  /// Proportional set size in KiB: memory shared with others counts by its share. 0 if it can't be read.
  public static func proportionalKiB(_ pid: pid_t) -> Int { kibibytes("/proc/\(pid)/smaps_rollup", "Pss:") }
  public static func residentKiB(_ pid: pid_t) -> Int { kibibytes("/proc/\(pid)/status", "VmRSS:") }

  private static func kibibytes(_ file: String, _ key: String) -> Int {
    for line in (readText(file) ?? "").split(separator: "\n") where line.hasPrefix(key) {
      return line.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
    }
    return 0
  }

  public static func descriptorCount(_ pid: pid_t) -> Int { directoryEntries("/proc/\(pid)/fd").count }
}
