/// Whether this node should lead a cluster: it can ask the database, and polling and discovery, whose work the master hands out, get on.
///
/// Other types do not count: a fault in alerting's data would follow the lead to every node.
struct FitnessPolicy: Equatable, Sendable {
  /// One child whose work matters for leading.
  struct Observation: Equatable, Sendable {
    var isCrashLooping: Bool
    var isAway: Bool
    var lacksDatabase: Bool

    var isFit: Bool { !isCrashLooping && !isAway && !lacksDatabase }
  }

  /// A restart of a child takes less; the lead is not handed around for it.
  static let patience = Duration.seconds(5)
  /// A node that was unfit shows for this long that it is fit.
  static let probation = Duration.seconds(10)

  private(set) var mayLead = true
  /// Since when the observations contradict `mayLead`.
  private var contradictedSince: Duration?

  /// True when `mayLead` has changed.
  mutating func observe(_ children: some Sequence<Observation>, now: Duration) -> Bool {
    let isFit = children.allSatisfy(\.isFit)
    guard isFit != mayLead else {
      contradictedSince = nil
      return false
    }
    let since = contradictedSince ?? now
    contradictedSince = since
    guard now - since >= (mayLead ? Self.patience : Self.probation) else { return false }
    mayLead = isFit
    contradictedSince = nil
    return true
  }

  mutating func shift(by lateness: Duration) {
    contradictedSince = contradictedSince.map { $0 + lateness }
  }
}
