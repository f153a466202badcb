/// Finds poller groups that have devices and no node that polls them.
enum GroupCoveragePolicy {
  /// A row of `poller_cluster` that was reported lately.
  struct Node: Equatable, Sendable {
    var groups: [Int]
    /// nil = the cluster's setting decides.
    var polls: Bool?
  }

  /// More groups than this are counted, not named.
  private static let named = 5

  /// `devices`: enabled devices by group. `own`: the groups that this node polls. `others`: living nodes beside it.
  static func judge(devices: [Int: Int], own: [Int], others: [Node]) -> Finding {
    var served = Set(own)
    for node in others where node.polls ?? true { served.formUnion(node.groups) }
    let left = devices.filter { $0.value > 0 && !served.contains($0.key) }.sorted { $0.key < $1.key }
    let list = left.prefix(named).map { "\($0.key) (\($0.value) device\($0.value == 1 ? "" : "s"))" }.joined(separator: ", ")
    let rest = left.count > named ? " and \(left.count - named) more" : ""
    let plural = left.count == 1 ? "" : "s"
    return Finding(
      key: "groups", signal: left.isEmpty ? .good : .bad,
      text: """
        no living node polls poller group\(plural) \(list)\(rest): add \(left.count == 1 ? "it" : "them") to the groups of a node (its poller \
        settings in the web UI, or distributed_poller_group), start the node that should poll, or move the devices to another group
        """,
      relief: "every poller group with devices has a node again", onset: .seconds(50), calm: .zero)
  }
}
