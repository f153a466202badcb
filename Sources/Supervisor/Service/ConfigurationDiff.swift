import Core

/// What differs between two configurations, in lines for the log: key, old value → new value, origin of the new one.
enum ConfigurationDiff {
  /// Keys whose entries are masked; that they changed is seen in the settings, and the values are not said.
  private static let secrets: [(key: String, value: @Sendable (Settings) -> String)] = [
    ("DB_PASSWORD", { $0.database.password }), ("REDIS_PASSWORD", { $0.redis.password }),
    ("REDIS_SENTINEL_PASSWORD", { $0.redis.sentinelPassword }),
  ]

  /// In the order of the keys in `config`; empty = nothing that has a name differs.
  static func lines(from old: LoadedConfiguration, to new: LoadedConfiguration) -> [String] {
    let before = Dictionary(old.entries.map { ($0.key, $0) }) { _, last in last }
    let after = Set(new.entries.map(\.key))
    var lines: [String] = []
    for entry in new.entries {
      if let secret = secrets.first(where: { $0.key == entry.key }) {
        if secret.value(old.settings) != secret.value(new.settings) { lines.append("\(entry.key): changed (\(entry.origin))") }
      } else if before[entry.key]?.value != entry.value {
        lines.append("\(entry.key): \(text(before[entry.key]?.value)) → \(text(entry.value)) (\(entry.origin))")
      }
    }
    for entry in old.entries where !after.contains(entry.key) { lines.append("\(entry.key): \(text(entry.value)) → not set") }
    return lines + found(old.settings, new.settings)
  }

  /// What was found out and has no key.
  private static func found(_ old: Settings, _ new: Settings) -> [String] {
    let facts: [(String, (Settings) -> String)] = [
      ("queues and locks", { $0.isClustered ? "in Redis" : "in memory" }),
      ("script of discovery", { $0.scripts.discoverCommand ? "lnms device:discover" : "discovery.php" }),
      ("script of ping", { $0.scripts.fastPingCommand ? "lnms device:ping" : "ping.php" }),
    ]
    return facts.compactMap { name, fact in
      fact(old) == fact(new) ? nil : "\(name): \(fact(old)) → \(fact(new)) (found at the reading)"
    }
  }

  private static func text(_ value: ConfigValue?) -> String {
    switch value {
    case nil: "not set"
    case .bool(let value): value ? "true" : "false"
    case .integer(let value): String(value)
    case .text(let value): value.isEmpty ? "empty" : StatusText.clip(value)
    case .integers(let values): values.map(String.init).joined(separator: ",")
    }
  }
}

/// What `librenms-configd` has resolved: the settings, where each comes from, and what is to be said about them.
struct LoadedConfiguration {
  var settings: Settings
  var entries: [ConfigEntry] = []
  var notes: [ConfigNote] = []
}
