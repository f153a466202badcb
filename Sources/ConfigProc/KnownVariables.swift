import Core

/// The environment variables that mean something here: a setting is read by one of these names, and what looks like one is told apart.
enum KnownVariables {
  private static let prefix = "DISPATCHER_"

  /// Names with our prefix, one table: what the configuration reads, and what the service and its helper scripts read themselves.
  static let dispatcher: [String] =
    ["SCHEDULE_RUN", "PHP_OPCACHE", "MEMORY_PRESSURE_PERCENT", "SHUTDOWN_LIMIT", "LIBEXEC", "CRON_FILE"].map { prefix + $0 }
    + ["HEALTHY_SECONDS", "LOOK_SECONDS", "DEFAULTS"].map { prefix + $0 }
    + TaskType.allCases.flatMap { type in
      ["JOB_TIMEOUT", "NICE"].map { "\(prefix)\(type.rawValue.uppercased())_\($0)" } + Resource.allCases.map { $0.setting(type) }
    }

  /// One line for each name with our prefix that is none of ours, with the nearest one; at most ten. `dotenv`: lines by name.
  static func complaints(environment: some Sequence<String>, dotenv: [String: Int]) -> [String] {
    let known = Set(dispatcher)
    let found =
      environment.map { ($0, "the environment") } + dotenv.sorted { $0.value < $1.value }.map { ($0.key, ".env line \($0.value)") }
    return found.filter { $0.0.uppercased().hasPrefix(prefix) && !known.contains($0.0) }.sorted { $0.1 == $1.1 && $0.0 < $1.0 }
      .prefix(10).map { name, origin in
        let advice = nearest(name).map { "did you mean \($0)?" } ?? "it has no effect"
        return "\(name.prefix(80)) (\(origin)) is no setting of the dispatcher: \(advice)"
      }
  }

  /// The known name with the fewest changes to this one; nil = none is near enough to be what was meant.
  static func nearest(_ name: String) -> String? {
    guard name.utf8.count <= 80 else { return nil }
    let own = name.uppercased()
    let best = dispatcher.map { (name: $0, distance: distance(own, $0)) }.min { $0.distance < $1.distance }
    // The common prefix is no likeness.
    return best.flatMap { $0.distance <= max(2, (own.utf8.count - prefix.utf8.count) / 3) ? $0.name : nil }
  }

  /// Characters to insert, drop, replace or swap with their neighbour.
  static func distance(_ first: String, _ second: String) -> Int {
    let (a, b) = (Array(first.utf8), Array(second.utf8))
    var before: [Int] = []
    var above = Array(0...b.count)
    for i in a.indices {
      var row = [i + 1]
      for j in b.indices {
        var best = min(above[j + 1] + 1, row[j] + 1, above[j] + (a[i] == b[j] ? 0 : 1))
        if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { best = min(best, before[j - 1] + 1) }
        row.append(best)
      }
      (before, above) = (above, row)
    }
    return above[b.count]
  }
}
