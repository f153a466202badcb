import Core
import Database

/// Clocks, and what they have done to the times of devices.
public struct ClocksQuestion: DatabaseQuestion, Equatable {
  /// A device whose time did not move, in the figures of a type.
  public struct Suspect: Equatable, Sendable {
    public var type: TaskType
    /// As in the type's queue; what is no id is not asked for.
    public var device: String
    public var time: DeviceTime

    public init(type: TaskType, device: String, time: DeviceTime) {
      self.type = type
      self.device = device
      self.time = time
    }
  }

  public struct Clocks: Equatable, Sendable {
    /// nil = the server's answer makes no sense.
    public var clock: ClockReading?
    /// Seconds that a suspect's time is behind NOW(), by type; without the types whose device has none.
    public var behind: [TaskType: Int]
    /// Enabled devices whose last poll is in the future, and by how many seconds at most.
    public var ahead: Int
    public var furthest: Int
    /// The server takes no writes of ordinary users; asked only for a suspicion.
    public var isReadOnly: Bool

    public init(clock: ClockReading?, behind: [TaskType: Int] = [:], ahead: Int = 0, furthest: Int = 0, isReadOnly: Bool = false) {
      self.clock = clock
      self.behind = behind
      self.ahead = ahead
      self.furthest = furthest
      self.isReadOnly = isReadOnly
    }
  }

  /// More devices in the future are not counted.
  public static let most = 1000
  /// A poll that ends now may be noted in the second that comes: devices are in the future from this on.
  public static let tolerance = Duration.seconds(60)

  public var suspects: [Suspect]

  public init(suspects: [Suspect]) { self.suspects = suspects }

  public func answer(by session: any DatabaseSession, askedAt: MonotonicTime) throws(DatabaseError) -> Clocks {
    try session.clocks(self)
  }
}

/// Which groups have devices, and which other nodes live.
public struct CoverageQuestion: DatabaseQuestion, Equatable {
  public struct Node: Equatable, Sendable {
    public var groups: [Int]
    /// nil = the cluster's setting decides.
    public var polls: Bool?

    public init(groups: [Int], polls: Bool?) {
      self.groups = groups
      self.polls = polls
    }
  }

  public struct Coverage: Equatable, Sendable {
    /// Enabled devices by group.
    public var devices: [Int: Int]
    public var others: [Node]

    public init(devices: [Int: Int], others: [Node]) {
      self.devices = devices
      self.others = others
    }
  }

  /// A node of ours reports every 30 s, one of Python's each polling period.
  private static let leastAge = Duration.seconds(180)

  public var nodeID: String
  /// Of polling.
  public var period: Duration

  public init(nodeID: String, period: Duration) {
    self.nodeID = nodeID
    self.period = period
  }

  /// A node that reported longer ago does not live.
  public var oldestReport: Duration { max(Self.leastAge, period * 2) }

  public func answer(by session: any DatabaseSession, askedAt: MonotonicTime) throws(DatabaseError) -> Coverage {
    try session.coverage(self)
  }
}

/// What the sources of the configuration look like (`SourceFingerprint`).
public struct FingerprintQuestion: DatabaseQuestion, Equatable {
  public var base: String
  public var nodeID: String

  public init(base: String, nodeID: String) {
    self.base = base
    self.nodeID = nodeID
  }

  public func answer(by session: any DatabaseSession, askedAt: MonotonicTime) throws(DatabaseError) -> String {
    try session.fingerprint(self)
  }
}
