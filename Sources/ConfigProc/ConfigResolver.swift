import Core

/// Picks for every key the strongest source with a usable value, and writes down what was picked and what was passed over.
///
/// Pure: the same sources always give the same settings, entries and notes.
struct ConfigResolver {
  let sources: ConfigSources
  private(set) var entries: [ConfigEntry] = []
  private(set) var notes: [ConfigNote] = []

  struct Choice<Value> {
    var value: Value
    var origin: String
    var isDefault: Bool
  }

  init(_ sources: ConfigSources) {
    self.sources = sources
  }

  mutating func note(_ level: LogLevel, _ text: String) {
    notes.append(ConfigNote(level: level, text: text))
  }

  mutating func enter(_ key: String, _ value: ConfigValue, _ origin: String) {
    entries.append(ConfigEntry(key: key, value: value, origin: origin))
  }

  /// The first candidate with a good value, else the default. Every wrong one before it is named, with what is used instead.
  mutating func choose<Value>(
    _ key: String, _ candidates: [Candidate], _ rule: ValueRule<Value>, default fallback: Value, secret: Bool = false
  ) -> Choice<Value> {
    var wrong: [(Candidate, String)] = []
    var choice = Choice(value: fallback, origin: "default", isDefault: true)
    search: for candidate in candidates {
      switch rule.judge(candidate.value) {
      case .missing: continue
      case .good(let value):
        choice = Choice(value: value, origin: candidate.origin, isDefault: false)
        break search
      case .wrong(let reason): wrong.append((candidate, reason))
      }
    }
    for (candidate, reason) in wrong {
      let value = secret ? "the value" : candidate.value.shown
      let instead = secret ? "what is set there" : "\(choice.value)"
      let used = choice.isDefault ? "the default \(secret ? "" : "\(choice.value) ")is used" : "\(instead) from \(choice.origin) is used"
      note(.warning, "\(key): \(value) from \(candidate.origin) \(reason); \(used)")
    }
    return choice
  }

  mutating func integer(_ key: String, _ candidates: [Candidate], _ rule: ValueRule<Int>, default fallback: Int) -> Int {
    let choice = choose(key, candidates, rule, default: fallback)
    enter(key, .integer(choice.value), choice.origin)
    return choice.value
  }

  mutating func flag(_ key: String, _ candidates: [Candidate], default fallback: Bool) -> Bool {
    let choice = choose(key, candidates, .flag, default: fallback)
    enter(key, .bool(choice.value), choice.origin)
    return choice.value
  }

  mutating func text(
    _ key: String, _ candidates: [Candidate], _ rule: ValueRule<String> = .text, default fallback: String
  ) -> String {
    let choice = choose(key, candidates, rule, default: fallback)
    enter(key, .text(choice.value), choice.origin)
    return choice.value
  }

  mutating func secret(_ key: String, _ candidates: [Candidate]) -> String {
    let choice = choose(key, candidates, .password, default: "", secret: true)
    enter(key, .text(choice.value.isEmpty ? "" : "***"), choice.origin)
    return choice.value
  }
}

extension ConfigResolver {
  /// All keys. Throws when the configuration must not be used at all.
  mutating func resolve() throws(Refusal) -> Settings {
    let bad = sources.dotenv.badLines
    for line in bad.prefix(10) { note(.warning, ".env line \(line) is skipped: it is neither NAME=value nor a comment") }
    if bad.count > 10 { note(.warning, ".env: \(bad.count - 10) more lines are skipped; is this the right file?") }
    let lines = sources.dotenv.entries.mapValues(\.line)
    for text in KnownVariables.complaints(environment: sources.environment.keys.sorted(), dotenv: lines) { note(.warning, text) }
    let nodeID = try nodeID()
    var settings = Settings(base: sources.base, nodeID: nodeID, pollerName: "")
    settings.flags = sources.flags
    settings.scripts = sources.scripts
    let name = sources.row("poller_name") + sources.dump("distributed_poller_name", for: "distributed_poller_name")
    settings.pollerName = text("distributed_poller_name", name, .trimmedText, default: sources.hostName)
    settings.distributed = flag(
      "distributed_poller", sources.dump("distributed_poller", for: "distributed_poller"), default: false)
    settings.groups = groups()
    schedules(&settings)
    settings.logLevel = logLevel()
    files(&settings)
    limits(&settings)
    extras(&settings)
    settings.redis = redis()
    settings.database = try database()
    return settings
  }

  mutating func nodeID() throws(Refusal) -> String {
    let candidates = sources.variable("NODE_ID")
    let choice = choose("NODE_ID", candidates, .text, default: "")
    guard !choice.value.trimmed.isEmpty else {
      let hidden = sources.environment["NODE_ID"] != nil && sources.dotenv.entries["NODE_ID"] != nil
      let found =
        if hidden {
          "the environment variable NODE_ID is empty and hides the one in \(sources.base)/.env; unset it or give it a value"
        } else if let candidate = candidates.first {
          "NODE_ID is empty (\(candidate.origin)); give this node a unique id there"
        } else {
          "NODE_ID is neither in the environment nor in \(sources.base)/.env; add a line NODE_ID=<unique id> to that file"
        }
      throw Refusal(exitCode: 3, message: found)
    }
    enter("NODE_ID", .text(choice.value), choice.origin)
    return choice.value
  }

  mutating func groups() -> [Int] {
    let key = "distributed_poller_group"
    if !sources.flags.groups.isEmpty {
      var groups: [Int] = []
      for group in sources.flags.groups where !groups.contains(group) { groups.append(group) }
      enter(key, .integers(groups), "command line")
      return groups
    }
    guard let candidate = (sources.row("poller_groups") + sources.dump(key, for: key)).first(where: { $0.value != .null }) else {
      enter(key, .integers([0]), "default")
      return [0]
    }
    let groups = PollerGroupList.parse(candidate.value)
    if groups == nil {
      note(
        .error,
        "\(key): \(candidate.value.shown) from \(candidate.origin) is not a list of group numbers (like 0 or 1,2); group 0 is used")
    }
    enter(key, .integers(groups ?? [0]), groups == nil ? "default" : candidate.origin)
    return groups ?? [0]
  }

  mutating func logLevel() -> LogLevel {
    let key = "service_loglevel"
    if sources.flags.debug {
      enter(key, .text(LogLevel.debug.rawValue), "command line")
      return .debug
    }
    guard let candidate = (sources.row("loglevel") + sources.dump(key, for: key)).first(where: { !$0.value.isMissing }) else {
      enter(key, .text(LogLevel.info.rawValue), "default")
      return .info
    }
    let level = LogLevel(python: candidate.value)
    if level == nil {
      note(
        .error,
        "\(key): \(candidate.value.shown) from \(candidate.origin) is none of DEBUG, INFO, WARNING, ERROR, CRITICAL; INFO is used")
    }
    enter(key, .text((level ?? .info).rawValue), level == nil ? "default" : candidate.origin)
    return level ?? .info
  }

  mutating func files(_ settings: inout Settings) {
    let directory = text("log_dir", sources.dump("log_dir", for: "log_dir"), default: sources.base + "/logs")
    settings.logDirectory = sources.base.resolving(directory)
    let file = sources.row("watchdog_log") + sources.dump("log_file", for: "log_file")
    settings.logFile = sources.base.resolving(text("log_file", file, default: settings.logDirectory + "/librenms.log"))
    let health = text("service_health_file", sources.dump("service_health_file", for: "service_health_file"), default: "")
    settings.healthFile = health.isEmpty ? "" : sources.base.resolving(health)
  }
}

extension String {
  /// A path as seen from this directory.
  func resolving(_ path: String) -> String {
    path.hasPrefix("/") ? path : self + "/" + path
  }
}
