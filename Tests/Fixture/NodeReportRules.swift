/// What the web page and `validate.php` of LibreNMS read from `poller_cluster` and `poller_cluster_stats`, and the rules that both have to
/// satisfy at any moment while the nodes run.
public struct ClusterReport {
  public struct Node {
    public var id: String
    public var name: String
    public var groups: String
    public var version: String
    /// Seconds since the last report.
    public var age: Int
    public var isMaster: Bool
    /// `poller_type` → depth, devices, worker_seconds, workers, frequency.
    public var types: [String: [String]]
    /// Columns of the admin that are not NULL.
    public var set: Int
  }

  public var nodes: [Node]

  public init(_ server: MariaDBServer) throws {
    let admin = ["poller", "discovery", "services"].flatMap { ["\($0)_enabled", "\($0)_frequency", "\($0)_workers"] }
    let count = admin.map { "(`\($0)` IS NOT NULL)" }.joined(separator: " + ")
    var found: [String: Node] = [:]
    var order: [String] = []
    for row in try server.query(
      """
      SELECT id, node_id, poller_name, poller_groups, poller_version, TIMESTAMPDIFF(SECOND, last_report, NOW()), master, \(count)
      FROM poller_cluster ORDER BY node_id
      """)
    {
      order.append(row[0])
      found[row[0]] = Node(
        id: row[1], name: row[2], groups: row[3], version: row[4], age: Int(row[5]) ?? .max, isMaster: row[6] == "1", types: [:],
        set: Int(row[7]) ?? -1)
    }
    for row in try server.query(
      "SELECT parent_poller, poller_type, depth, devices, worker_seconds, workers, frequency FROM poller_cluster_stats")
    {
      found[row[0]]?.types[row[1]] = Array(row[2...])
    }
    nodes = order.compactMap { found[$0] }
  }

  public static let types: Set<String> = ["poller", "discovery", "services", "ping", "billing", "alerting"]

  /// What is wrong. `live`: the node ids that run. `oldest`: seconds that a report of a live node may be old; nodes report every 30 s.
  public func faults(live: Set<String>, oldest: Int = 35) -> [String] {
    var faults: [String] = []
    let masters = nodes.filter(\.isMaster).map(\.id)
    if masters.count != 1 || !live.isSuperset(of: masters) { faults.append("masters: \(masters), live: \(live.sorted())") }
    for id in live.subtracting(nodes.map(\.id)) { faults.append("\(id) has no row") }
    for node in nodes where live.contains(node.id) {
      if node.age > oldest { faults.append("\(node.id) reported \(node.age) s ago") }
      if !node.version.hasPrefix("librenms-dispatcher ") { faults.append("\(node.id) has version '\(node.version)'") }
      if Set(node.types.keys) != Self.types { faults.append("\(node.id) has the rows \(node.types.keys.sorted())") }
      for (type, figures) in node.types where (Int(figures[3]) ?? 0) < 1 || (Int(figures[4]) ?? 0) < 1 {
        faults.append("\(node.id) \(type): workers and frequency are \(figures[3]), \(figures[4])")
      }
    }
    return faults
  }
}
