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
}
