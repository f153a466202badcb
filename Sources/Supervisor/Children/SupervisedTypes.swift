import Core

/// The types that have an executable. A further one is one more word here.
enum SupervisedTypes {
  static let all: [TaskType] = [
    .poller,
    .discovery,
    .services,
    .ping,
    .alerting,
    .billing,
    .maintenance,
  ]

  /// Whether the configuration wants a child for the type on this node. In a cluster all types run, disabled ones without slots: the
  /// master fills the queues of all types for the whole cluster. Maintenance always runs: it reports about the node, whether or not it
  /// runs daily.sh.
  static func isWanted(_ type: TaskType, _ settings: Settings) -> Bool {
    settings[type].enabled || settings.isClustered || type == .maintenance
  }

  /// How long a lock of this name lives that nobody renews; nil = its name does not tell: the master's is renewed each second, those of
  /// discovery end at the next tick.
  static func lockLifetime(_ name: String, _ settings: Settings) -> Duration? {
    let types = [TaskType.poller, .services, .ping]
    return types.first { name.hasPrefix($0.rawValue + ".") }.map { settings[$0].frequency }
  }

  /// The shortest lifetime of a lock that jobs of the type hold; a child that is silent for longer has lost them.
  static func shortestLock(_ type: TaskType, _ settings: Settings) -> Duration? {
    switch type {
    case .poller, .services, .ping: settings[type].frequency
    // Until the next epoch-aligned tick, which can be near, but never taken for less than a minute.
    case .discovery: .seconds(60)
    // Renewed while a run goes on; so long alerts and bills stand still when a node dies over one.
    case .alerting, .billing: .seconds(60)
    case .maintenance: nil
    }
  }
}
