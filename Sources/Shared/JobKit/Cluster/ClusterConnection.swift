import Core
import Redis

/// A `ClusterLink` with its life: it is started once, comes and goes, and tells of tracked keys.
public protocol ClusterConnection: ClusterLink {
  /// Called when the link comes up or goes down.
  var onChange: ((Bool) -> Void)? { get set }
  /// Called with the tracked keys that have changed; nil = any may have.
  var onInvalidation: (([String]?) -> Void)? { get set }
  /// Commands since the start.
  var commandsSent: Int { get }
  /// Begins to connect.
  func start()
  /// To be called about every second.
  func look(at now: MonotonicTime)
}

extension RedisLink: ClusterConnection {
  public func look(at now: MonotonicTime) { availability.look(at: now) }
}
