import Core

extension ConfigResolver {
  /// `DISPATCHER_<TYPE>_JOB_TIMEOUT`, `_NICE`, `_MEMORY_MAX` and the like, from the environment and `.env` only. They are entered when they
  /// are set: most installations have none of them.
  mutating func limits(_ settings: inout Settings) {
    for type in TaskType.allCases {
      let prefix = "DISPATCHER_\(type.rawValue.uppercased())_"
      var limits = TypeLimits(for: type)
      let timeout = limit(prefix + "JOB_TIMEOUT", .period, default: Int(limits.jobTimeout.inSeconds))
      let nice = limit(prefix + "NICE", .integer(-20...19), default: Int(limits.nice))
      limits.resources = resources(type)
      guard timeout.isSet || nice.isSet || !limits.resources.isEmpty else { continue }
      limits.jobTimeout = .seconds(timeout.value)
      limits.nice = Int32(nice.value)
      settings.limits[type] = limits
    }
  }

  private mutating func resources(_ type: TaskType) -> [Resource: ResourceLimit] {
    var found: [Resource: ResourceLimit] = [:]
    for resource in Resource.allCases {
      let name = resource.setting(type)
      let candidates = sources.variable(name)
      guard candidates.contains(where: { !$0.value.isMissing }) else { continue }
      let none = ResourceLimit(text: "no limit", value: resource.unlimited)
      let choice = choose(name, candidates, resource.rule(sources.machine), default: none)
      guard !choice.isDefault else { continue }
      enter(name, .text(choice.value.text), choice.origin)
      found[resource] = choice.value
    }
    return found
  }

  /// What LibreNMS has no setting for. Entered when it is set.
  mutating func extras(_ settings: inout Settings) {
    if let runs = extra("DISPATCHER_SCHEDULE_RUN", default: false) { settings.runsSchedule = runs }
    let cache = "DISPATCHER_PHP_OPCACHE"
    if extra(cache, default: true) == false { settings.phpCache = .off(reason: "\(cache) says so") }
    memoryPressure(&settings)
  }

  private mutating func memoryPressure(_ settings: inout Settings) {
    let name = "DISPATCHER_MEMORY_PRESSURE_PERCENT"
    let candidates = sources.variable(name)
    guard candidates.contains(where: { !$0.value.isMissing }) else { return }
    let choice = choose(name, candidates, .percentOrOff, default: settings.memoryPressure ?? 0)
    guard !choice.isDefault else { return }
    enter(name, .integer(choice.value), choice.origin)
    settings.memoryPressure = choice.value == 0 ? nil : choice.value
  }

  /// nil: not set anywhere.
  private mutating func extra(_ name: String, default fallback: Bool) -> Bool? {
    let candidates = sources.variable(name)
    guard candidates.contains(where: { !$0.value.isMissing }) else { return nil }
    return flag(name, candidates, default: fallback)
  }

  private mutating func limit(_ name: String, _ rule: ValueRule<Int>, default fallback: Int) -> (value: Int, isSet: Bool) {
    let candidates = sources.variable(name)
    guard candidates.contains(where: { !$0.value.isMissing }) else { return (fallback, false) }
    let choice = choose(name, candidates, rule, default: fallback)
    enter(name, .integer(choice.value), choice.origin)
    return (choice.value, !choice.isDefault)
  }
}
