import Glibc

/// A word in the environment of everything that a test starts, directly or not: what is left behind can be found and named.
public final class ProcessMark: Sendable {
  public static let variable = "FIXTURE_MARK"
  public let value: String

  public init() {
    value = "mark-\(getpid())-\(UInt64.random(in: 0...UInt64.max))"
  }

  /// The environment of this process, the mark, and changes; an empty value removes a name.
  public func environment(_ changes: [String: String] = [:]) -> [String: String] {
    var all: [String: String] = [:]
    for variable in ChildProcess.ownEnvironment() {
      guard let equals = variable.firstIndex(of: "=") else { continue }
      all[String(variable[..<equals])] = String(variable[variable.index(after: equals)...])
    }
    // What belongs to the one who runs the tests must not reach the dispatcher.
    let foreign = ["NODE_ID", "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "JOURNAL_STREAM", "RUNTIME_DIRECTORY", "LIBRENMS_BASE"]
    for name in all.keys where foreign.contains(name) || name.hasPrefix("DB_") || name.hasPrefix("REDIS_") || name.hasPrefix("DISPATCHER_")
    {
      all[name] = nil
    }
    all[Self.variable] = value
    for (name, value) in changes { all[name] = value.isEmpty ? nil : value }
    return all
  }

  /// Processes that carry the mark, without the zombies.
  public func survivors() -> [ProcessInfo] {
    let needle = "\(Self.variable)=\(value)"
    return ProcessInfo.all().filter { process in
      readText("/proc/\(process.pid)/environ")?.split(separator: "\0").contains { $0 == needle } ?? false
    }
  }

  /// Kills whatever carries the mark, also what is stopped or starts more of its kind meanwhile.
  public func killAll() {
    eventually(within: .seconds(10), every: .milliseconds(10)) {
      let left = survivors()
      for process in left { kill(process.pid, SIGKILL) }
      return left.isEmpty
    }
  }
}
