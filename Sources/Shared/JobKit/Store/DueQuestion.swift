import Core
import Database

/// What is due, by one rule of a scheduler type. `groups`: only devices of these poller groups; nil = of all.
public enum DueQuestion: DatabaseQuestion, Hashable {
  /// Enabled devices whose poll is due, the longest poll first: one second less than a period after their last poll began, or never polled
  /// but discovered. Those that become due within `lookAhead` are marked as early.
  case polls(period: Duration, lookAhead: Duration, groups: [Int]?)
  /// Enabled devices that were never discovered, down or not; then overdue ones that are up, the longest poll first.
  ///
  /// An overdue one is held back while the service is younger than 1.25 times its last discovery: after a restart it may be running
  /// elsewhere still.
  case discoveries(period: Duration, lookAhead: Duration, groups: [Int]?, serviceStartedAt: MonotonicTime)
  /// All enabled devices, down ones too, never discovered ones first.
  case allDevices(groups: [Int]?)
  /// Enabled devices that have services.
  case devicesWithServices(groups: [Int]?)
  /// The groups that have devices.
  case deviceGroups([Int]?)
  /// Always these. `fromServer`: only when the server answers; else the connection's last state is enough.
  case fixed([String], fromServer: Bool)

  /// A device is due this much before its period is over: the contract compares whole seconds.
  public static let earliness = Duration.seconds(1)
  /// Times the duration of the last discovery: so long an overdue discovery waits after a start of the service.
  public static let restartMargin = 1.25

  public func answer(by session: any DatabaseSession, askedAt: MonotonicTime) throws(DatabaseError) -> [DueJob] {
    try session.due(self, askedAt: askedAt)
  }
}

/// A job that the database says is due.
public struct DueJob: Equatable, Sendable {
  public var payload: String
  public var group: Int
  /// Never discovered before.
  public var isNewcomer: Bool
  /// Not due yet by the contract, but within seconds: for a node that knows exactly when its period is over.
  public var isEarly: Bool

  public init(payload: String, group: Int, isNewcomer: Bool = false, isEarly: Bool = false) {
    self.payload = payload
    self.group = group
    self.isNewcomer = isNewcomer
    self.isEarly = isEarly
  }
}
