import Core
import Glibc

/// How busy this machine is.
enum MachineLoad {
  /// The one-minute load average for each processor; nil = not known.
  static func perProcessor() -> Double? {
    let words = FileText.read("/proc/loadavg", limit: 128)?.split(separator: " ") ?? []
    guard let load = words.first.flatMap({ Double($0) }) else { return nil }
    return load / Double(max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))))
  }
}
