import Core
import Logging

/// What a child does beside its jobs. Every method is called on the loop and returns at once.
public protocol ChildDuty: AnyObject {
  func apply(_ settings: Settings)
  /// About every second.
  func turn(at now: MonotonicTime)
  /// What the node's children have said last, by type.
  func heard(_ heartbeats: [TaskType: Heartbeat])
  /// What the duty has to say in the child's heartbeat.
  func fill(_ heartbeat: inout Heartbeat)
  /// The service stops. The process ends after `done`, or a second later.
  func end(_ done: @escaping () -> Void)
}

/// What a duty works with.
public struct ChildDutySurroundings {
  public var settings: Settings
  public var loop: EventLoop
  public var sql: any NodeDatabase
  public var log: Logger
  /// This node dispatches for the cluster, or is alone.
  public var leads: () -> Bool
  /// The load average for each processor; nil = not known.
  public var machineLoad: () -> Double? = MachineLoad.perProcessor
  /// To the supervisor.
  public var send: (Upward) -> Void
}
