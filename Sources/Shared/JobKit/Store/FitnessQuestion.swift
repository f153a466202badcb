import Core
import Database

/// Which of a device's times belong to a type. The raw values are the columns of `devices`.
public enum DeviceTime: String, Sendable {
  case polled = "last_polled"
  case discovered = "last_discovered"
}

/// Whether a job should still run, asked under its lock just before it starts.
public enum FitnessQuestion: DatabaseQuestion, Equatable {
  /// Skips a device that is gone, disabled, in another group, or was begun less than half of the smallest period in the cluster ago; a job
  /// on demand runs whenever it was done last. `period`: this node's.
  ///
  /// The begin is the noted end less the time taken: counted from the end, a device whose script takes over half a period would be
  /// skipped when it is due.
  case device(QueueItem, time: DeviceTime, period: Duration)
  /// Skips a device that is gone, disabled or in another group, whenever it was done last.
  case presence(QueueItem)

  /// Added to half a period, since both times are cut to whole seconds.
  public static let grace = Duration.seconds(1)

  public func answer(by session: any DatabaseSession, askedAt: MonotonicTime) throws(DatabaseError) -> Fitness {
    try session.fitness(self)
  }
}

/// What the database says about a job just before it starts, under its lock.
public enum Fitness: Equatable, Sendable {
  case run
  /// Done already, gone or disabled: the reason, for the debug log.
  case skip(String)
}

/// Whether a script that ended unseen did its work: its time in `devices` moved since the start.
///
/// A device that is marked down would answer no sooner; one that is up lost its script with the dispatcher and is free at once.
public struct UnseenEndQuestion: DatabaseQuestion, Equatable {
  /// The columns have no fractions.
  public static let grace = Duration.seconds(1)

  public var payload: String
  public var time: DeviceTime
  /// Since the script's start.
  public var age: Duration

  public init(_ item: QueueItem, time: DeviceTime, age: Duration) {
    payload = item.payload
    self.time = time
    self.age = age
  }

  public func answer(by session: any DatabaseSession, askedAt: MonotonicTime) throws(DatabaseError) -> ExitCodePolicy.Ending {
    try session.ending(self)
  }
}

/// The devices with these ids; those that do not exist are not in the answer.
public struct DevicesQuestion: DatabaseQuestion, Equatable {
  public struct Device: Equatable, Sendable {
    public var group: Int
    public var isDisabled: Bool

    public init(group: Int, isDisabled: Bool) {
      self.group = group
      self.isDisabled = isDisabled
    }
  }

  public var ids: [Int64]

  public init(ids: [Int64]) { self.ids = ids }

  public func answer(by session: any DatabaseSession, askedAt: MonotonicTime) throws(DatabaseError) -> [Int64: Device] {
    try session.devices(self)
  }
}
