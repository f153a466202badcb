/// What became of one id that an operator asked for.
public struct OnDemandResult: Codable, Sendable, Equatable {
  public enum Outcome: Codable, Sendable, Equatable {
    /// Added in front of everything that waits. `group`: set when this node does not serve the device's group and another one has to.
    case queued(group: Int?)
    /// It waited already and is in front now.
    case lifted(group: Int?)
    /// Its script runs right now.
    case running(LockReport)
    /// Another node holds its lock, and whether a script runs there is not known, or none does.
    case locked(LockReport)
    case noSuchDevice
    case disabled
    /// Of a group that neither this node nor, without a cluster, any other one serves.
    case notServed(group: Int)
    /// It could not be looked at: why.
    case refused(String)
  }

  /// A device id in decimal.
  public var payload: String
  public var outcome: Outcome

  public init(payload: String, outcome: Outcome) {
    self.payload = payload
    self.outcome = outcome
  }

  /// It runs or will run without anybody asking again.
  public var isUnderWay: Bool {
    switch outcome {
    case .queued, .lifted, .running: true
    case .locked, .noSuchDevice, .disabled, .notServed, .refused: false
    }
  }
}

/// A lock as its store tells of it.
public struct LockReport: Codable, Sendable, Equatable {
  /// Without the contract's `librenms.lock:`.
  public var name: String
  public var owner: String
  /// nil: it ends with its job.
  public var remaining: Duration?
  /// Since when it is held.
  public var age: Duration?
  /// The age is the contract's lifetime less what remains: too short for a lock that its owner renews.
  public var isAgeEstimated: Bool
  /// Whether a script runs under it; nil = only its owner knows.
  public var isRunning: Bool?

  public init(
    name: String, owner: String, remaining: Duration? = nil, age: Duration? = nil, isAgeEstimated: Bool = false, isRunning: Bool? = nil
  ) {
    self.name = name
    self.owner = owner
    self.remaining = remaining
    self.age = age
    self.isAgeEstimated = isAgeEstimated
    self.isRunning = isRunning
  }

  /// Scalars of a name or an owner that are told; a text in Redis can be anything, and a message is bounded.
  private static let textLimit = 120

  /// With texts that fit many times over into a message.
  public var bounded: LockReport {
    var copy = self
    copy.name = Self.bounded(name)
    copy.owner = Self.bounded(owner)
    return copy
  }

  private static func bounded(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars.prefix(textLimit) { result.unicodeScalars.append(scalar.value < 32 ? " " : scalar) }
    return result
  }
}

/// A part of an answer to `listLocks`.
public struct LockPage: Codable, Sendable, Equatable {
  public var locks: [LockReport]
  /// Another part follows.
  public var more: Bool
  /// Locks beyond the limit, in the last part.
  public var omitted: Int
  /// Why there is no answer.
  public var failure: String?

  /// Of each answer, over all its parts.
  public static let limit = 2000
  /// So many fit into one message, whatever their texts are.
  public static let size = 40

  public init(locks: [LockReport], more: Bool = false, omitted: Int = 0, failure: String? = nil) {
    self.locks = locks
    self.more = more
    self.omitted = omitted
    self.failure = failure
  }

  /// An answer in parts; an empty one has one part.
  public static func pages(of locks: [LockReport], omitted: Int) -> [LockPage] {
    guard !locks.isEmpty else { return [LockPage(locks: [], omitted: omitted)] }
    return stride(from: 0, to: locks.count, by: size).map { start in
      let isLast = start + size >= locks.count
      return LockPage(locks: locks[start..<min(start + size, locks.count)].map(\.bounded), more: !isLast, omitted: isLast ? omitted : 0)
    }
  }
}

/// A lock's owner, taken apart: `<poller name>-<uuid>`, for jobs with `-<Type>_<group>-<slot>` behind, slots from 1.
public struct LockOwner: Equatable, Sendable {
  public var node: String
  public var uuid: String
  /// From 0; nil for a lock of the whole node.
  public var slot: Int?

  /// nil = not an owner as the contract has them.
  public init?(_ text: String) {
    if let whole = Self.split(text) {
      (node, uuid) = whole
      return
    }
    // The slot is behind the last dash, the type before that.
    let parts = text.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count >= 3, let slot = Int(parts[parts.count - 1]), slot > 0, parts[parts.count - 2].contains("_") else { return nil }
    guard let whole = Self.split(parts.dropLast(2).joined(separator: "-")) else { return nil }
    (node, uuid) = whole
    self.slot = slot - 1
  }

  /// A node of ours made it: version 8 is ours alone (`NodeIdentity`), Python nodes take version 1.
  public var isOurs: Bool { uuid.dropFirst(14).first == "8" }

  private static func split(_ text: String) -> (String, String)? {
    let uuid = text.suffix(36)
    let pattern = [8, 4, 4, 4, 12]
    let groups = uuid.split(separator: "-", omittingEmptySubsequences: false)
    guard groups.map(\.count) == pattern, groups.allSatisfy({ $0.allSatisfy(\.isHexDigit) }) else { return nil }
    let rest = text.dropLast(36)
    guard rest.last == "-" else { return nil }
    return (String(rest.dropLast()), String(uuid))
  }
}
