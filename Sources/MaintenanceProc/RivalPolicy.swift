/// Whether another node dispatches, too, while this one leads: then devices are begun by both, since each has queues and locks of its own.
///
/// Told by its row of `poller_cluster`, which every node writes without Redis. Times are readings of any monotonic clock.
struct RivalPolicy: Equatable {
  /// The row of another node.
  struct Row: Equatable, Sendable {
    var node: String
    var name: String
    /// As it is in the row: numbers with commas between them.
    var groups: [Int]
    var isMaster: Bool
    /// Since its last report.
    var age: Duration
  }

  static let key = "rival"
  /// A node of Python's reports once a period, and a leader clears what others said soon after: a claim counts until its next report is due.
  static let leastMemory = Duration.seconds(180)

  private var leadsSince: Duration?
  private var claims: [String: (name: String, seenAt: Duration)] = [:]

  static func == (a: RivalPolicy, b: RivalPolicy) -> Bool {
    a.leadsSince == b.leadsSince && a.claims.mapValues(\.seenAt) == b.claims.mapValues(\.seenAt)
  }

  /// The lead is not ours, or not any more: whoever has it may say so.
  mutating func follows() {
    leadsSince = nil
    claims = [:]
  }

  /// This node leads, and reads these rows.
  ///
  /// A report counts only if it was written when we had led for twice the lifetime of the master's lock: who led before us may have said so
  /// until then, and a Python node leaves that in its row for a period. One that shares no group with us or with those who work with us
  /// doubles nothing.
  mutating func leads(
    _ rows: [Row], groups: [Int], isClustered: Bool, masterTimeout: Duration, period: Duration, at now: Duration
  ) -> Finding {
    let since = leadsSince ?? now
    leadsSince = since
    var served = Set(groups)
    if isClustered { for row in rows where !row.isMaster { served.formUnion(row.groups) } }
    for row in rows where row.isMaster && now - row.age - since > masterTimeout * 2 {
      guard !served.isDisjoint(with: row.groups) else { continue }
      claims[row.node] = (row.name, now - row.age)
    }
    let memory = max(Self.leastMemory, period * 2)
    claims = claims.filter { now - $0.value.seenAt < memory }
    let list = claims.sorted { $0.key < $1.key }.prefix(3).map { "\($0.value.name) (NODE_ID \($0.key))" }.joined(separator: ", ")
    let cause =
      isClustered
      ? """
      it does not use this node's Redis. Either distributed_poller is off there, or its REDIS_ settings name another server or another \
      database number: make them those of this node, and restart it
      """
      : """
      this node works alone (distributed_poller is off, or no Redis is named). Set distributed_poller and the same REDIS_ settings on both, \
      or give each of them poller groups of its own
      """
    return Finding(
      key: Self.key, signal: claims.isEmpty ? .good : .bad,
      text: "\(list) reports that it is master, and so is this node: devices are polled twice, since \(cause)",
      relief: "no other node reports that it is master any more", calm: .zero)
  }
}
