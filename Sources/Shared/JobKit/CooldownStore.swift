import Core

/// A kept lock of a device: it is down, or its script failed.
public struct Cooldown: Equatable, Sendable {
  public var until: MonotonicTime
  /// Failures in a row, for the doubling of the next hold; 0 = the device is down.
  public var failures: Int

  public init(until: MonotonicTime, failures: Int) {
    self.until = until
    self.failures = failures
  }
}

/// Kept locks of devices that a successor on a node without Redis has to know. `CooldownFile` is the real one.
public protocol CooldownStore: AnyObject {
  var cooldowns: [Int64: Cooldown] { get }
  /// Records that were no records.
  var garbage: Int { get }
  func set(_ id: Int64, _ cooldown: Cooldown)
  func clear(_ id: Int64)
}

extension CooldownStore {
  /// A row of failures is over when the device was not tried for this long.
  static var memory: Duration { .seconds(3600) }

  /// Failures in a row of this device so far.
  public func failures(of id: Int64) -> Int { cooldowns[id]?.failures ?? 0 }

  /// Drops what is over, to be called now and then.
  public func expire(at now: MonotonicTime) {
    for (id, cooldown) in cooldowns where cooldown.until + (cooldown.failures > 0 ? Self.memory : .zero) <= now { clear(id) }
  }
}
