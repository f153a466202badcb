import Fixture
import Glibc

/// CPU time and memory of the dispatcher's own processes, without the scripts.
struct TreeUsage {
  var cpu: [pid_t: Double] = [:]
  var proportionalKiB = 0
  /// Times that their threads went to sleep by themselves: each is a wake-up.
  var sleeps = 0

  init(of supervisor: pid_t) {
    for process in ProcessInfo.tree(of: supervisor) where process.executable.hasPrefix("librenms-") {
      cpu[process.pid] = Self.cpuSeconds(process.pid)
      sleeps += Self.sleeps(process.pid)
      proportionalKiB += ProcessInfo.proportionalKiB(process.pid)
    }
  }

  /// Seconds on a CPU with the scheduler's own precision; the ticks of /proc/PID/stat are too coarse for something that is idle.
  static func cpuSeconds(_ pid: pid_t) -> Double {
    directoryEntries("/proc/\(pid)/task").reduce(0) { sum, thread in
      let words = (readText("/proc/\(pid)/task/\(thread)/schedstat") ?? "").split(separator: " ")
      return sum + (words.first.flatMap { Double($0) } ?? 0) / 1e9
    }
  }

  private static func sleeps(_ pid: pid_t) -> Int {
    directoryEntries("/proc/\(pid)/task").reduce(0) { sum, thread in
      let lines = (readText("/proc/\(pid)/task/\(thread)/status") ?? "").split(separator: "\n")
      let line = lines.first { $0.hasPrefix("voluntary_ctxt_switches:") }
      return sum + (line.flatMap { Int($0.split(separator: "\t").last ?? "") } ?? 0)
    }
  }

  /// CPU seconds since an earlier look, of the processes that were there at both.
  func cpuSince(_ earlier: TreeUsage) -> Double {
    cpu.reduce(0) { sum, entry in sum + (earlier.cpu[entry.key].map { entry.value - $0 } ?? entry.value) }
  }
}
