import Core
import JobKit

/// What a script will do, drawn when it starts.
public struct ScriptPlan {
  /// How long it runs if nobody ends it.
  public var duration: Duration
  public var status: ExitStatus
  /// TERM does not end it.
  public var ignoresTerm: Bool
  /// What it does to the world when it has come to its end by itself; with another status where that fails, nil = it waits for somebody.
  public var effect: (ExitStatus) -> ExitStatus?

  public init(
    duration: Duration, status: ExitStatus = .exited(0), ignoresTerm: Bool = false, effect: @escaping (ExitStatus) -> ExitStatus? = { $0 }
  ) {
    self.duration = duration
    self.status = status
    self.ignoresTerm = ignoresTerm
    self.effect = effect
  }
}

/// A script's process.
public final class SimulatedScript {
  public internal(set) var identity = ProcessIdentity(pid: 0, startTime: 0)
  public let type: TaskType
  public let payload: String
  public let startedAt: MonotonicTime
  public let deadline: MonotonicTime?
  /// The child that started it; only while that lives is it the one that reaps.
  let parent: SimulatedProcess
  public var parentPid: Int32 { parent.pid }
  let plan: ScriptPlan
  /// nil: it runs.
  public internal(set) var status: ExitStatus?
  let onEnd: (ExitStatus) -> Void
  var watchers: [(SimulatedProcess, () -> Void)] = []
  var timer: TimerToken?

  init(
    _ type: TaskType, _ payload: String, at time: MonotonicTime, deadline: MonotonicTime?, parent: SimulatedProcess, _ plan: ScriptPlan,
    onEnd: @escaping (ExitStatus) -> Void
  ) {
    self.type = type
    self.payload = payload
    startedAt = time
    self.deadline = deadline
    self.parent = parent
    self.plan = plan
    self.onEnd = onEnd
  }
}
