import Core
import Logging

extension Supervisor {
  // MARK: What the helper says

  func configurationWaits(_ reason: String) {
    let reason = StatusText.clip(reason)
    // Whatever works on the database says itself that it is away; that nobody can see a change meanwhile is no news.
    let isKnown = reload?.isAutomatic ?? false && reason.hasPrefix("database")
    log.log(level: isKnown ? .debug : .warning, "the configuration can't be read yet, waiting for \(reason)")
    guard settings == nil else {
      // The old configuration works on; nobody should have to wait for a server's return to hear that.
      reload?.isWaiting = true
      return answerReload(ok: false, "waiting for \(reason); the configuration in force stays until then")
    }
    waitingReason = reason
    notifier.status(statusText(loop.now))
  }

  func configurationEnded(_ outcome: ConfigurationLoader.Outcome) {
    guard stopping == nil else { return considerEnd() }
    switch outcome {
    case .resolved(let new):
      loaderPolicy.forget()
      waitingReason = nil
      saidFailure = nil
      apply(new)
    case .refused(let code, let message):
      guard settings != nil else {
        log.critical("\(message)")
        exitCode = code
        return stop(because: "the configuration was refused")
      }
      finishReload(ok: false, "\(message); the configuration in force stays")
    case .failed(let reason):
      guard settings == nil else { return finishReload(ok: false, "\(reason); the configuration in force stays") }
      retryConfiguration(reason)
    }
  }

  private func retryConfiguration(_ reason: String) {
    let now = loop.now
    // Never healthy, but ready from the start: the delays 1, 2, 4 … 60 s.
    let verdict = loaderPolicy.died(now: now.sinceBoot, readySince: now.sinceBoot, dice: loop.random(in: 0...1))
    waitingReason = "the configuration: \(StatusText.clip(reason))"
    log.error("\(reason); the next attempt is in \(StatusText.age(verdict.delay))")
    loop.schedule(after: verdict.delay) { [weak self] in
      guard let self, stopping == nil, settings == nil else { return }
      startLoader()
    }
  }

  func startLoader() {
    automaticReload.started(now: loop.now.sinceBoot)
    loader.start()
  }

  /// What is wrong with a configuration is said once, and again to whoever asks for a reload.
  private func sayNotes(_ notes: [ConfigNote]) {
    let known = reload?.isAutomatic ?? false ? loaded?.notes ?? [] : []
    for note in notes where !known.contains(note) { say(note) }
  }

  private func say(_ note: ConfigNote) {
    let level: Logger.Level =
      switch note.level {
      case .debug: .debug
      case .info: .info
      case .warning: .warning
      case .error: .error
      case .critical: .critical
      }
    log.log(level: level, "\(note.text)")
  }

  // MARK: Carrying it out

  private func apply(_ configuration: LoadedConfiguration) {
    var new = configuration.settings
    let levelBefore = DispatcherLog.shared.level
    DispatcherLog.shared.apply(new)
    sayNotes(configuration.notes)
    // Before anything is started under it.
    limits = host.applyLimits(new) { [weak self] in self?.resident($0, session: $1) ?? .unknown }
    new.controlGroups = limits.directory
    let before = loaded
    loaded = configuration
    if settings?.phpCache != new.phpCache { log.info("\(new.phpCache.summary)") }
    healthFile.configure(path: new.healthFile, now: loop.now)
    logWatchdog.configure(new, now: loop.now)
    // What the sources looked like is no setting: only the child that looks at them has to know.
    var comparable = new
    comparable.fingerprint = settings?.fingerprint ?? ""
    if settings == comparable {
      settings = new
      // A child that failed under this configuration may have failed over something beside it that was repaired since.
      tell(new)
      return finishReload(ok: true, Self.unchanged)
    }
    let old = settings
    let first = old == nil
    epoch += 1
    settings = new
    if first { log.info("configuration read: \(summary(of: new))") } else { log.notice("new configuration \(epoch): \(summary(of: new))") }
    if let before { say(ConfigurationDiff.lines(from: before, to: configuration), levelBefore: levelBefore) }
    tell(new)
    if let old, let reason = Self.replacementReason(old, new) {
      log.notice("\(reason) has changed: the children are replaced, their scripts go on")
      for child in children { child.replace() }
    }
    guard !first, reload != nil else { return finishReload(ok: true, "the configuration was read") }
    let awaited = children.filter { $0.machine.isAlive && $0.machine.want }.map(\.type)
    reload?.awaiting = Set(awaited)
    let number = reload?.number
    loop.schedule(after: Reload.childLimit) { [weak self] in
      guard let self, let reload, reload.number == number, !reload.awaiting.isEmpty else { return }
      let missing = reload.awaiting.map(\.rawValue).sorted().joined(separator: ", ")
      self.reload?.problems.append("no answer from \(missing) within \(StatusText.age(Reload.childLimit))")
      endReload()
    }
    endReloadIfAnswered()
  }

  /// A change that makes the log quieter is said all the same.
  private func say(_ changes: [String], levelBefore: Logger.Level) {
    let level = DispatcherLog.shared.level
    DispatcherLog.shared.level = min(level, levelBefore)
    for change in changes { log.notice("\(change)") }
    DispatcherLog.shared.level = level
  }

  /// What a process is that was found in the service's own control group.
  private func resident(_ pid: Int32, session: Int32) -> ControlGroupPlan.Resident {
    if pid == loader.pid || children.contains(where: { $0.pid == pid }) { return .daemon }
    // A script leads a session, and what it starts is in it.
    let type = SupervisedTypes.all.first { type in tables.running(type).contains { $0.process.pid == session } }
    return type.map { .script(group: $0.rawValue) } ?? .unknown
  }

  private func tell(_ settings: Settings) {
    for child in children {
      child.configure(Child.Configuration(epoch: epoch, mayLead: fitness.mayLead, settings: settings))
      child.want(SupervisedTypes.isWanted(child.type, settings))
    }
  }

  /// What can't be applied to a running child: its queues and locks can't move between memory and Redis or to another server, and in Redis
  /// what it works on is noted under a name that is made of NODE_ID. nil = nothing of that.
  static func replacementReason(_ old: Settings, _ new: Settings) -> String? {
    if old.isClustered != new.isClustered { return "the place of queues and locks" }
    guard new.isClustered else { return nil }
    var (was, now) = (old.redis, new.redis)
    // It only shortens the wait of 5 s for an answer (`RedisLimits`), and follows the alerts' period where nobody sets it.
    (was.timeout, now.timeout) = (min(was.timeout, .seconds(5)), min(now.timeout, .seconds(5)))
    if was != now { return "the way to Redis" }
    return old.nodeID == new.nodeID ? nil : "the NODE_ID, which names what the node has in Redis,"
  }

  /// In a cluster a node that can't do what the lead needs gives it to fitter ones.
  func observeFitness(_ now: MonotonicTime) {
    // Children that have drained are no fault of the node, and a configuration would start them again.
    guard stopping == nil, let settings, settings.isClustered else { return }
    let vital = children.filter { $0.type == .poller || $0.type == .discovery }
    let observations = vital.map { child in
      FitnessPolicy.Observation(
        isCrashLooping: child.isCrashLooping(now: now), isAway: !child.machine.isAlive,
        lacksDatabase: child.heartbeat?.outages.contains(.database) ?? false)
    }
    guard fitness.observe(observations, now: now.sinceBoot) else { return }
    if fitness.mayLead {
      log.notice("this node can lead the cluster again")
    } else {
      log.warning("this node gives the lead of the cluster to others: polling, discovery or its database do not work here")
    }
    epoch += 1
    tell(settings)
  }

  private func summary(of settings: Settings) -> String {
    let types = SupervisedTypes.all.map { type in
      let schedule = settings[type]
      return schedule.enabled
        ? "\(type.rawValue) \(schedule.workers) workers every \(StatusText.age(schedule.frequency))" : "\(type.rawValue) off"
    }
    let groups = settings.groups.map { "\($0)" }.joined(separator: ",")
    return "node \(settings.pollerName), groups \(groups), " + types.joined(separator: ", ")
  }
}
