/// What the scripts of a type can be limited in as a group, by the names that systemd has for it.
///
/// Each is a file of a control group (version 2). The raw value is the end of the setting's name: `DISPATCHER_POLLER_MEMORY_MAX`.
public enum Resource: String, Codable, CaseIterable, Sendable, CodingKeyRepresentable {
  case memoryMax = "MEMORY_MAX"
  case memoryHigh = "MEMORY_HIGH"
  case cpuWeight = "CPU_WEIGHT"
  case cpuQuota = "CPU_QUOTA"
  case tasksMax = "TASKS_MAX"
  case ioWeight = "IO_WEIGHT"

  /// What has to be enabled for the group.
  public var controller: String {
    switch self {
    case .memoryMax, .memoryHigh: "memory"
    case .cpuWeight, .cpuQuota: "cpu"
    case .tasksMax: "pids"
    case .ioWeight: "io"
    }
  }

  public var file: String {
    switch self {
    case .memoryMax: "memory.max"
    case .memoryHigh: "memory.high"
    case .cpuWeight: "cpu.weight"
    case .cpuQuota: "cpu.max"
    case .tasksMax: "pids.max"
    case .ioWeight: "io.weight"
    }
  }

  /// What the kernel has in a new group.
  public var unlimited: String {
    switch self {
    case .memoryMax, .memoryHigh, .tasksMax: "max"
    case .cpuQuota: "max 100000"
    case .cpuWeight, .ioWeight: "100"
    }
  }

  public func setting(_ type: TaskType) -> String { "DISPATCHER_\(type.rawValue.uppercased())_\(rawValue)" }
}

/// A limit as it was set, and as the kernel wants it.
public struct ResourceLimit: Codable, Sendable, Equatable, CustomStringConvertible {
  /// `512M`, `50%`
  public var text: String
  /// The content of the group's file.
  public var value: String

  public init(text: String, value: String) {
    self.text = text
    self.value = value
  }

  public var description: String { text }
}
