import Core

/// Whether this node does its work.
extension Supervisor {
  /// A start within this time counts as work, though nothing happens to run at the moment of the look.
  private static let recentStart = Duration.seconds(10)
  /// Of these a tick may wait for the end of the run before it, on this node or another.
  private static let keepTicks: Set<TaskType> = [.alerting, .billing, .maintenance]

  func condition(_ child: Child, _ now: MonotonicTime) -> WatchdogPolicy.Condition {
    if let killedAt = child.killedAt, now - killedAt > Child.killLimit { return .unkillable }
    switch child.machine.state {
    case .starting: return .starting
    case .stopping: return .beingReplaced
    case .stopped, .backoff, .failed: return .waitingForRestart
    case .running: return child.heartbeat?.outages.contains(where: \.stopsWork) ?? false ? .outage : .healthy
    }
  }

  func wantedConditions(_ now: MonotonicTime) -> [WatchdogPolicy.Condition] {
    children.filter { $0.machine.want || $0.machine.isAlive }.map { condition($0, now) }
  }

  /// To be called about every second.
  func observeHealth(_ now: MonotonicTime) {
    observeStandstills(now)
    watchdog.observe(progress(now), now: now.sinceBoot)
    let healthy = isHealthy(now)
    if healthy, stopping == nil { healthFile.refresh(now: now) }
    if !healthy, !saidUnhealthy {
      let idle = watchdog.idleFor(now: now.sinceBoot).map { "has not polled anything for \(StatusText.age($0))" }
      log.error("this node \(idle ?? "does not do its work"): \(statusText(now))")
    }
    if healthy, saidUnhealthy { log.notice("this node polls again") }
    saidUnhealthy = !healthy
  }

  func isHealthy(_ now: MonotonicTime) -> Bool {
    watchdog.mayRefreshHealthFile(wantedConditions(now), now: now.sinceBoot) && !mainChildren.contains { standstills[$0.type] != nil }
      && complaints.allSatisfy { !$0.isFatal }
  }

  /// Why a type does not do its work although its servers answer; nil: it does, or something else is said of it.
  func trouble(_ child: Child) -> String? {
    guard child.machine.state == .running else { return nil }
    if let fault = child.heartbeat?.fault { return fault }
    guard let duration = standstills[child.type], let beat = child.heartbeat else { return nil }
    let waiting = beat.queued > 0 ? "\(beat.queued) waiting" : "what is due was not asked for"
    return "nothing was started for \(StatusText.age(duration)), \(waiting)"
  }

  private func observeStandstills(_ now: MonotonicTime) {
    guard let settings, stopping == nil else { return }
    for child in children {
      guard child.machine.want else {
        standstillPolicies[child.type] = nil
        standstills[child.type] = nil
        troubles[child.type] = nil
        continue
      }
      // One that restarts has its own words, and its beats are to be waited for.
      if child.machine.state == .running, let beat = child.heartbeat {
        standstills[child.type] = standstillPolicies[child.type, default: StandstillPolicy()].observe(
          Self.observation(child.type, beat, settings, startedAt: child.readySince), now: now.sinceBoot)
      }
      switch troubles[child.type, default: TroublePolicy()].observe(trouble(child), now: now.sinceBoot) {
      case .lasts(let text): child.log.error("does not do its work: \(text)")
      case .isOver: child.log.notice("does its work again")
      case nil: break
      }
    }
  }

  private static func observation(
    _ type: TaskType, _ beat: Heartbeat, _ settings: Settings, startedAt: MonotonicTime?
  ) -> StandstillPolicy.Observation {
    var observation = StandstillPolicy.Observation(period: settings[type].frequency)
    observation.slots = beat.slots
    observation.queued = beat.queued
    observation.oldestDue = beat.oldestDue
    observation.lastStart = beat.lastJobStarted?.sinceBoot
    if keepTicks.contains(type) { observation.isExcused = beat.busy > 0 || settings.isClustered || type == .maintenance }
    // Without the database nothing is asked, and that is said as such.
    if type == .poller, !settings.isClustered, !beat.outages.contains(.database) {
      observation.lastAsked = (beat.lastDispatch ?? startedAt)?.sinceBoot
    }
    return observation
  }

  /// Whose work decides about the node: polling, or if that is not its job, every type that has workers.
  private var mainChildren: [Child] {
    let wanted = children.filter(\.machine.want)
    if let poller = settings?[.poller], poller.enabled, poller.workers > 0 { return wanted.filter { $0.type == .poller } }
    let working = wanted.filter { $0.type != .maintenance && settings?[$0.type].enabled ?? false }
    return working.isEmpty ? wanted : working
  }

  /// Whether the node does its main work.
  private func progress(_ now: MonotonicTime) -> WatchdogPolicy.Progress {
    guard settings != nil else { return .nothing }
    let main = mainChildren
    let works = main.contains { child in
      let beat = child.heartbeat ?? Heartbeat()
      let startedLately = beat.lastJobStarted.map { now - $0 < Self.recentStart } ?? false
      return WatchdogPolicy.progress(
        condition: condition(child, now), slots: beat.slots, busy: beat.busy, hasWaiting: beat.queued > 0 && !startedLately) == .working
    }
    // In a cluster the poller child of a node without polling queues for the others.
    let isFaulty = children.contains { child in
      child.heartbeat?.fault != nil && (child.type == .poller || main.contains { $0.type == child.type })
    }
    return (works || main.isEmpty) && !isFaulty ? .working : .nothing
  }
}
