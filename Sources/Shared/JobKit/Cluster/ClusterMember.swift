import Core
import Logging

/// One child's part in a cluster: its link to Redis, and the coordinator that speaks through it.
final class ClusterMember {
  let coordinator: RedisCoordinator
  private let link: any ClusterConnection
  private let names: ClusterNames
  private let state: State

  /// What may change while the child runs.
  private final class State {
    var settings: Settings { didSet { groups = type.queueGroups(settings) } }
    private(set) var groups: [Int]
    private let type: any SchedulerType

    init(_ type: any SchedulerType, _ settings: Settings) {
      self.type = type
      self.settings = settings
      groups = type.queueGroups(settings)
    }
  }

  /// `table`: the number of the job table.
  init(type: any SchedulerType, settings: Settings, link: any ClusterConnection, table: UInt64, loop: EventLoop, log: Logger) {
    let state = State(type, settings)
    self.state = state
    self.link = link
    names = ClusterNames(type: type.type, node: NodeIdentity.uuid(settings))
    let node = RedisCoordinator.Node(
      link: link, names: names, leaderName: { NodeIdentity.owner(state.settings) }, lockPrefix: type.lockPrefix,
      usesGroupLocks: type.locksGroups, keepsTicks: type.keepsTicks,
      masterTtl: { state.settings.masterTimeout },
      // A node takes work of a type only for its own groups; what belongs to no group is queued for group 0.
      groups: { state.groups }, table: table, speaksForNode: type.type == .maintenance, loop: loop)
    coordinator = RedisCoordinator(node, log: log, ttl: { [loop] in type.lockLifetime(state.settings, at: loop.wall) })
    // Not captured strongly: the link's owner is this object.
    let coordinator = self.coordinator
    link.onInvalidation = { [weak coordinator] keys in coordinator?.told(keys) }
    link.onChange = { [weak coordinator] up in coordinator?.linkChanged(up: up) }
  }

  /// To be called when everything that the coordinator needs to know of the past is known: the adopted jobs.
  func start() { link.start() }

  /// The way to Redis and the node's id can't change while the child runs: the supervisor replaces it.
  func apply(_ settings: Settings) {
    state.settings = settings
    coordinator.settingsChanged()
  }

  /// To be called about every second.
  func turn(at now: MonotonicTime) { link.look(at: now) }

  var commandsSent: Int { link.commandsSent }
}
