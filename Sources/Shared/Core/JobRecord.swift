/// What a slot of the job table says about its job.
public struct JobRecord: Equatable, Sendable {
  public var payload: String
  public var lock: String
  public var owner: String
  public var group: Int
  public var score: Double
  public var startedAt: MonotonicTime
  /// Since the epoch.
  public var startedWall: Duration
  /// When the script's group is ended; nil = never.
  public var deadline: MonotonicTime?

  public init(
    payload: String, lock: String, owner: String, group: Int, score: Double, startedAt: MonotonicTime, startedWall: Duration,
    deadline: MonotonicTime?
  ) {
    self.payload = payload
    self.lock = lock
    self.owner = owner
    self.group = group
    self.score = score
    self.startedAt = startedAt
    self.startedWall = startedWall
    self.deadline = deadline
  }
}
