import Core

extension ConfigResolver {
  /// `DISPATCHER_<TYPE>_JOB_TIMEOUT` and `DISPATCHER_<TYPE>_NICE`, from the environment and `.env` only. They are entered when they are set:
  /// most installations have none of them.
  mutating func limits(_ settings: inout Settings) {
    for type in TaskType.allCases {
      let prefix = "DISPATCHER_\(type.rawValue.uppercased())_"
      var limits = TypeLimits(for: type)
      let timeout = limit(prefix + "JOB_TIMEOUT", .period, default: Int(limits.jobTimeout.inSeconds))
      let nice = limit(prefix + "NICE", .integer(-20...19), default: Int(limits.nice))
      guard timeout.isSet || nice.isSet else { continue }
      limits.jobTimeout = .seconds(timeout.value)
      limits.nice = Int32(nice.value)
      settings.limits[type] = limits
    }
  }

  /// What LibreNMS has no setting for. Entered when it is set.
  mutating func extras(_ settings: inout Settings) {
    if let runs = extra("DISPATCHER_SCHEDULE_RUN", default: false) { settings.runsSchedule = runs }
    let cache = "DISPATCHER_PHP_OPCACHE"
    if extra(cache, default: true) == false { settings.phpCache = .off(reason: "\(cache) says so") }
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
