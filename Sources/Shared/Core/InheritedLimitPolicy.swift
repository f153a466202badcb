/// Which of the limits that a service was started with keep it from working.
public enum InheritedLimitPolicy {
  public enum Resource: CaseIterable, Sendable {
    case files, fileSize, cpu, memory
  }

  /// The supervisor has some 40 open, a child 20 and three for each slot.
  static let enoughFiles: UInt64 = 1024
  /// A job table of the largest size, and a log that is rotated daily.
  static let enoughFileSize: UInt64 = 1 << 30
  /// libmariadb, libhiredis and the Swift runtime map some 200 MB in a child.
  static let enoughMemory: UInt64 = 1 << 30

  /// `hard`: in the resource's own unit; all ones for none.
  public static func warning(_ resource: Resource, hard: UInt64) -> String? {
    func text(_ what: String, _ consequence: String, _ remedy: String) -> String {
      "the service was started with \(what), which it can't raise: \(consequence); \(remedy)"
    }
    switch resource {
    case .files where hard < enoughFiles:
      return text(
        "a limit of \(hard) open files", "with many workers scripts will not start", "set LimitNOFILE=65536 in the unit, or ulimit -Hn")
    case .fileSize where hard < enoughFileSize:
      return text(
        "files limited to \(hard) bytes", "job tables, logs and what scripts write are cut", "set LimitFSIZE=infinity, or ulimit -Hf")
    case .cpu where hard != .max:
      return text(
        "\(hard) s of processor time", "each of its processes is killed when it has used them", "set LimitCPU=infinity, or ulimit -Ht")
    case .memory where hard < enoughMemory:
      return text("\(hard) bytes of address space", "its processes may not start", "set LimitAS=infinity, or ulimit -Hv")
    default: return nil
    }
  }
}
