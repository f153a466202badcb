/// Whether further scripts may start, by how full the memory is.
///
/// It closes at the threshold and opens again a margin below it, so that the end of one script is not the start of the next.
public struct MemoryGatePolicy: Equatable, Sendable {
  /// Percent between closing and opening.
  public static let margin = 10.0

  public enum Change: Equatable, Sendable { case closed, opened }

  /// Percent in use; nil = the gate is always open.
  public private(set) var threshold: Int?
  public private(set) var isOpen = true

  public init(threshold: Int?) {
    self.threshold = threshold
  }

  /// What opens it: nothing below zero, or a low threshold could never be undone.
  var resume: Double { max(Double(threshold ?? 0) - Self.margin, 1) }

  /// `used`: percent in use; nil = unknown, which closes nothing.
  public mutating func observe(used: Double?) -> Change? {
    let open: Bool
    if let used, let threshold {
      open = isOpen ? used < Double(threshold) : used <= resume
    } else {
      open = true
    }
    guard open != isOpen else { return nil }
    isOpen = open
    return open ? .opened : .closed
  }

  public mutating func change(threshold: Int?) {
    self.threshold = threshold
  }

  /// How many slots may be busy. One stays: a node that is short of memory for ever polls slowly and says so, instead of not at all.
  public func allowed(_ slots: Int) -> Int { isOpen ? slots : min(slots, 1) }

  // MARK: How full

  /// `used` and `limit` of a control group, in the same unit; `cache`: of what is used, file contents that can be had again from the disk.
  public static func percent(used: UInt64, cache: UInt64, limit: UInt64) -> Double? {
    guard limit > 0 else { return nil }
    return 100 * Double(used - min(cache, used)) / Double(limit)
  }

  /// MemAvailable counts what the kernel could free.
  public static func percent(available: UInt64, total: UInt64) -> Double? {
    guard total > 0 else { return nil }
    return 100 * Double(total - min(available, total)) / Double(total)
  }
}
