import Core
import Glibc
import Logging

extension Supervisor {
  // MARK: What the helper says

  func configurationWaits(_ reason: String) {
    let reason = StatusText.clip(reason)
    log.warning("the configuration can't be read yet, waiting for \(reason)")
    guard settings == nil else {
      // The old configuration works on; nobody should have to wait for a server's return to hear that.
      reload?.isWaiting = true
      return answerReload(ok: false, "waiting for \(reason); the configuration in force stays until then")
    }
    waitingReason = reason
    notifier.status(statusText(.now))
  }

  func configurationEnded(_ outcome: ConfigurationLoader.Outcome) {
    guard stopping == nil else { return considerEnd() }
    switch outcome {
    case .resolved(let new, let notes):
      loaderPolicy.forget()
      waitingReason = nil
      for note in notes { say(note) }
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
    let now = MonotonicTime.now
    // Never healthy, but ready from the start: the delays 1, 2, 4 … 60 s.
    let verdict = loaderPolicy.died(now: now.sinceBoot, readySince: now.sinceBoot, dice: .random(in: 0...1))
    waitingReason = "the configuration: \(StatusText.clip(reason))"
    log.error("\(reason); the next attempt is in \(StatusText.age(verdict.delay))")
    loop.schedule(after: verdict.delay) { [weak self] in
      guard let self, stopping == nil, settings == nil else { return }
      loader.start()
    }
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

  private func apply(_ new: Settings) {
    DispatcherLog.shared.apply(new)
    healthFile.configure(path: new.healthFile, now: .now)
    // What the sources looked like is no setting: only the child that looks at them has to know.
    var comparable = new
    comparable.fingerprint = settings?.fingerprint ?? ""
    if settings == comparable {
      settings = new
      // A child that failed under this configuration may have failed over something beside it that was repaired since.
      tell(new)
      return finishReload(ok: true, "nothing changed")
    }
    let old = settings
    let first = old == nil
    epoch += 1
    settings = new
    if first { log.info("configuration read: \(summary(of: new))") } else { log.notice("new configuration \(epoch): \(summary(of: new))") }
    tell(new)
    if let old, Self.needsReplacement(old, new) {
      log.notice("the way to Redis has changed: the children are replaced, their scripts go on")
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

  private func tell(_ settings: Settings) {
    for child in children {
      child.configure(Child.Configuration(epoch: epoch, mayLead: fitness.mayLead, settings: settings))
      child.want(SupervisedTypes.isWanted(child.type, settings))
    }
  }

  /// Queues and locks of a running child can't move between memory and Redis, or to another server.
  private static func needsReplacement(_ old: Settings, _ new: Settings) -> Bool {
    old.isClustered != new.isClustered || new.isClustered && old.redis != new.redis
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

  // MARK: Reloading

  /// SIGHUP or `reload`; an answer goes to whoever asked.
  func startReload(_ answer: Reload.Answer?) {
    guard stopping == nil else {
      answer?(false, "the service is stopping")
      return
    }
    guard settings != nil else {
      answer?(false, "there is no configuration yet: waiting for \(waitingReason ?? "librenms-configd")")
      return
    }
    guard reload == nil, !loader.isRunning else {
      // What changed after the helper read it would be missed: once more after this one.
      reloadAgain.append(answer ?? { _, _ in })
      // A helper that waits does so with growing pauses; whoever asks again has probably just cured the cause.
      if reload?.isWaiting ?? true { loader.stop(because: "a newer request takes the place of one that was still waiting") }
      return
    }
    log.info("reloading the configuration")
    notifier.reloading()
    reload = Reload(answers: answer.map { [$0] } ?? [], number: epoch)
    loader.start()
  }

  /// A child says that a source of the configuration has changed.
  func reloadWanted(_ reason: String) {
    guard stopping == nil, settings != nil, reload == nil, !loader.isRunning else { return }
    log.info("the configuration is read again: \(reason)")
    startReload(nil)
  }

  func acknowledged(_ type: TaskType, _ answer: Child.Acknowledgement) {
    if case .rejected(let reason) = answer { reload?.problems.append("\(type.rawValue) keeps its old configuration: \(reason)") }
    reload?.awaiting.remove(type)
    endReloadIfAnswered()
  }

  private func endReloadIfAnswered() {
    guard let reload, epoch != reload.number, reload.awaiting.isEmpty else { return }
    endReload()
  }

  private func endReload() {
    let problems = reload?.problems ?? []
    finishReload(ok: problems.isEmpty, problems.isEmpty ? "configuration \(epoch) is in force" : problems.joined(separator: "; "))
  }

  /// Says how it went, without ending it: the helper may still bring a configuration.
  func answerReload(ok: Bool, _ text: String) {
    guard let answers = reload?.answers, reload != nil else { return }
    reload?.answers = []
    for answer in answers { answer(ok, text) }
    notifier.reloaded()
  }

  func finishReload(ok: Bool, _ text: String) {
    guard reload != nil else { return }
    if ok { log.info("reload: \(text)") } else { log.error("reload: \(text)") }
    answerReload(ok: ok, text)
    reload = nil
    guard !reloadAgain.isEmpty, stopping == nil else { return }
    let answers = reloadAgain
    reloadAgain = []
    startReload { ok, text in for answer in answers { answer(ok, text) } }
  }
}
