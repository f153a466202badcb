import Core

extension ConfigResolver {
  /// Enabled, workers and frequency of every type, and the times around them.
  mutating func schedules(_ settings: inout Settings) {
    for type in [TaskType.poller, .discovery, .services] {
      let fallback = settings[type]
      settings[type].enabled = enabled(type)
      settings[type].workers = integer(
        "service_\(type.rawValue)_workers", candidates(type, "workers"), .workers, default: fallback.workers)
      settings[type].frequency = period(type, fallback)
    }
    settings.pollerDownRetry = .seconds(
      integer(
        "service_poller_down_retry",
        sources.row("poller_down_retry") + sources.dump("service_poller_down_retry", for: "service_poller_down_retry"), .delay,
        default: 60))

    settings[.billing].enabled = enabled(.billing)
    settings[.billing].frequency = period(.billing, settings[.billing])
    let calculate = "service_billing_calculate_frequency"
    settings.billingCalculateFrequency = .seconds(
      integer(calculate, sources.row("billing_calculate_frequency") + sources.dump(calculate, for: calculate), .period, default: 60))

    settings[.alerting].enabled = enabled(.alerting)
    settings[.alerting].frequency = period(.alerting, settings[.alerting])

    settings[.ping].enabled = enabled(.ping)
    // The newer key is in every dump of LibreNMS 26; where it is missing, the older one that RRD files are made with counts.
    let ping = candidates(.ping, "frequency") + sources.dump("ping_rrd_step", for: "service_ping_frequency")
    settings[.ping].frequency = .seconds(integer("service_ping_frequency", ping, .period, default: 60))

    settings[.maintenance].enabled = flag("service_update_enabled", candidates("update", "enabled"), default: true)
    settings[.maintenance].frequency = .seconds(
      integer("service_update_frequency", candidates("update", "frequency"), .period, default: 86400))
    let timeout = "service_master_timeout"
    settings.masterTimeout = .seconds(integer(timeout, sources.dump(timeout, for: timeout), .period, default: 20))
    compareSteps(settings)
    settings.watchdogEnabled = flag("service_watchdog_enabled", candidates("watchdog", "enabled"), default: false)
  }

  /// The graphs' files have a fixed step; LibreNMS keeps it in `rrd.step`, nested in the dump, and for fast ping in `ping_rrd_step`.
  private mutating func compareSteps(_ settings: Settings) {
    var step = sources.dump["rrd.step"]
    if case .object(let rrd)? = sources.dump["rrd"] { step = rrd["step"] ?? step }
    compareStep("rrd.step", step, settings[.poller], "service_poller_frequency")
    compareStep("ping_rrd_step", sources.dump["ping_rrd_step"], settings[.ping], "service_ping_frequency")
  }

  private mutating func compareStep(_ key: String, _ raw: JSONValue?, _ schedule: Schedule, _ setting: String) {
    // Where this node does not poll, its own frequency matters to nobody's graphs.
    guard let raw, schedule.enabled else { return }
    let frequency = schedule.frequency.components.seconds
    switch ValueRule.period.judge(raw) {
    case .missing: return
    // As the period of fast ping it has been named already.
    case .wrong where notes.contains(where: { $0.text.contains(key) }): return
    case .wrong(let reason): note(.warning, "\(key): \(raw.shown) from config dump \(reason); it can't be compared with \(setting)")
    case .good(let step) where Int64(step) == frequency: return
    case .good(let step):
      let origin = entries.last { $0.key == setting }?.origin ?? "default"
      note(
        .warning,
        """
        \(setting) is \(frequency) s (\(origin)) but \(key) is \(step) s (config dump): graphs get gaps or lose values. Set both to the same \
        (lnms config:set \(key) \(frequency)) and convert the existing RRD files (scripts/rrdstep.php)
        """)
    }
  }

  private func candidates(_ type: TaskType, _ what: String) -> [Candidate] { candidates(type.rawValue, what) }

  private func candidates(_ word: String, _ what: String) -> [Candidate] {
    let key = "service_\(word)_\(what)"
    return sources.row("\(word)_\(what)") + sources.dump(key, for: key)
  }

  private mutating func period(_ type: TaskType, _ fallback: Schedule) -> Duration {
    let seconds = integer(
      "service_\(type.rawValue)_frequency", candidates(type, "frequency"), .period, default: Int(fallback.frequency.inSeconds))
    return .seconds(seconds)
  }

  private mutating func enabled(_ type: TaskType) -> Bool {
    let key = "service_\(type.rawValue)_enabled"
    let setting = "schedule_type.\(type.rawValue)"
    var weaker = sources.dump(key, for: key)
    if case .object(let types)? = sources.dump["schedule_type"], let raw = types[type.rawValue], !raw.isMissing {
      let word: String
      if case .string(let text) = raw { word = text } else { word = raw.shown }
      if case .decided(let enabled) = ScheduleTypePolicy(word: word) {
        weaker = [Candidate(value: .bool(enabled), origin: "config dump: \(setting)")]
      }
    }
    return flag(key, sources.row("\(type.rawValue)_enabled") + weaker, default: Settings.defaultSchedules[type]?.enabled ?? true)
  }
}
