import Core

/// What a replica has that is always a little behind.
final class SimulatedReplica {
  let lag: Duration
  private let keyspace = SimulatedKeyspace()
  private var coming: [(at: MonotonicTime, change: SimulatedKeyspace.Change)] = []

  init(of master: SimulatedKeyspace, lag: Duration) {
    self.lag = lag
    for change in master.everything { keyspace.apply(change) }
  }

  func heard(_ change: SimulatedKeyspace.Change, at now: MonotonicTime) {
    coming.append((now, change))
    if coming.count > 4096 { catchUp(now) }
  }

  /// What it knows now. It follows no more.
  func state(at now: MonotonicTime) -> SimulatedKeyspace {
    catchUp(now)
    return keyspace
  }

  private func catchUp(_ now: MonotonicTime) {
    let known = coming.prefix { $0.at + lag <= now }
    for entry in known { keyspace.apply(entry.change) }
    coming.removeFirst(known.count)
  }
}

extension SimulatedKeyspace {
  /// All that is in it, as changes of nothing.
  var everything: [Change] {
    keys.flatMap { key -> [Change] in
      switch value(key) {
      case nil: []
      case .text(let text): [.text(key, text, end: end(of: key))]
      case .list(let texts): texts.map { .push(key, $0) }
      case .hash(let hash): hash.fields.sorted { $0.key < $1.key }.map { .field(key, $0.key, $0.value) }
      case .sortedSet(let set): set.elements.map { .member(key, $0.member, $0.score) }
      }
    } + keys.filter { end(of: $0) != Self.forever }.map { .end($0, end(of: $0)) }
  }
}
