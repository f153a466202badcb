import Core
import Glibc

extension Supervisor {
  /// A start within this time counts as work, though nothing happens to run at the moment of the look.
  private static let recentStart = Duration.seconds(10)

  // MARK: Health

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

  /// Whether the node does its main work: polling, or if that is not its job, anything at all.
  func progress(_ now: MonotonicTime) -> WatchdogPolicy.Progress {
    guard settings != nil else { return .nothing }
    let wanted = children.filter(\.machine.want)
    let main = wanted.contains { $0.type == .poller } ? wanted.filter { $0.type == .poller } : wanted
    let works = main.contains { child in
      let beat = child.heartbeat ?? Heartbeat()
      let startedLately = beat.lastJobStarted.map { now - $0 < Self.recentStart } ?? false
      return WatchdogPolicy.progress(
        condition: condition(child, now), slots: beat.slots, busy: beat.busy, hasWaiting: beat.queued > 0 && !startedLately) == .working
    }
    return works || main.isEmpty ? .working : .nothing
  }

  func isHealthy(_ now: MonotonicTime) -> Bool {
    watchdog.mayRefreshHealthFile(wantedConditions(now), now: now.sinceBoot)
  }

  // MARK: Words

  func phase(_ now: MonotonicTime) -> StatusText.Phase {
    if stopping != nil { return .draining(jobs: runningJobs()) }
    if settings == nil { return .waiting(waitingReason ?? "the configuration") }
    if let outage = blockingOutage() { return .waiting(outage) }
    return children.allSatisfy(\.isSettled) || notifier.isReady ? .working : .starting
  }

  /// The outage that all running children report, if nothing runs because of it.
  private func blockingOutage() -> String? {
    let beats = children.filter { $0.machine.state == .running }.compactMap(\.heartbeat)
    guard let first = beats.first, beats.allSatisfy({ $0.busy == 0 }) else { return nil }
    let shared = beats.reduce(first.outages.filter(\.stopsWork)) { $0.intersection($1.outages) }
    return shared.isEmpty ? nil : shared.sorted().map(\.rawValue).joined(separator: " and ")
  }

  func statusText(_ now: MonotonicTime) -> String {
    StatusText.render(phase(now), children.filter { $0.machine.want || $0.machine.isAlive }.map { line($0, now) })
  }

  private func line(_ child: Child, _ now: MonotonicTime) -> StatusText.Line {
    var line = StatusText.Line(type: child.type.rawValue)
    let looping = child.isCrashLooping(now: now) ? "crash-looping, " : ""
    switch child.machine.state {
    case .running: break
    case .starting: line.trouble = looping + "starting"
    case .stopping: line.trouble = looping + "stopping"
    case .backoff: line.trouble = looping + "next start in \(child.nextStart.map { StatusText.age($0 - now) } ?? "a moment")"
    case .failed: line.trouble = "failed, needs another configuration"
    case .stopped: line.trouble = "stopped"
    }
    if let beat = child.heartbeat {
      line.busy = beat.busy
      line.slots = beat.slots
      line.queued = beat.queued
      line.oldestDue = beat.oldestDue
      line.outages = beat.outages.sorted().map(\.rawValue)
    } else if child.machine.state == .running {
      line.trouble = "ready"
    }
    return line
  }

  // MARK: The operator

  func serve(_ request: OperatorRequest, _ answer: @escaping (OperatorReply) -> Void) {
    let now = MonotonicTime.now
    switch request.command {
    case .status: answer(OperatorReply(ok: true, text: statusText(now), status: report(now)))
    case .health:
      let healthy = isHealthy(now) && stopping == nil
      let idle = watchdog.idleFor(now: now.sinceBoot).map { ", nothing polled for \(StatusText.age($0))" } ?? ""
      answer(OperatorReply(ok: healthy, text: "\(healthy ? "healthy" : "not healthy")\(idle): \(statusText(now))"))
    case .poll: enqueue(.poller, request.devices ?? [], answer)
    case .discover: enqueue(.discovery, request.devices ?? [], answer)
    case .locks: listLocks(answer)
    case .reload: startReload { ok, text in answer(OperatorReply(ok: ok, text: text)) }
    }
  }

  private func report(_ now: MonotonicTime) -> StatusReport {
    let name =
      switch phase(now) {
      case .starting: "starting"
      case .waiting: "waiting"
      case .working: "working"
      case .draining: "stopping"
      }
    return StatusReport(
      version: ProductVersion.text, pid: getpid(), base: options.base, node: settings?.nodeID, name: settings?.pollerName,
      uptime: (now - startedAt).inSeconds, phase: name, summary: statusText(now), healthy: isHealthy(now), epoch: epoch,
      warnings: warnings(), types: children.map { describe($0, now) },
      jobs: children.flatMap { tables.running($0.type) }.map { describe($0, now) })
  }

  /// What the node's diagnosis has found. A child's messages are gossip, so they are cut and counted here too.
  private func warnings() -> [String] {
    children.flatMap { $0.heartbeat?.warnings ?? [] }.prefix(16).map { StatusText.clip($0, to: 800) }
  }

  private func describe(_ child: Child, _ now: MonotonicTime) -> StatusReport.Child {
    var report = StatusReport.Child(type: child.type.rawValue, state: child.machine.state.rawValue, wanted: child.machine.want)
    report.pid = child.pid > 0 ? child.pid : nil
    report.uptime = child.startedAt.map { (now - $0).inSeconds }
    report.generation = child.generation
    report.restarts = child.restarts
    report.lastRestart = child.lastDeath.map(StatusText.clip)
    report.crashLooping = child.isCrashLooping(now: now)
    report.nextStart = child.nextStart.map { ($0 - now).inSeconds }
    report.limits = groups.inForce[child.type] ?? []
    report.limitsMissing = groups.notInForce[child.type] ?? []
    report.heartbeatAge = child.heardAt.map { (now - $0).inSeconds }
    guard let beat = child.heartbeat else { return report }
    report.busy = beat.busy
    report.slots = beat.slots
    report.queued = beat.queued
    report.oldestDue = beat.oldestDue?.inSeconds
    report.done = beat.done
    report.failed = beat.failed
    report.consumed = beat.consumed.inSeconds
    report.capacity = beat.capacity.inSeconds
    report.recentJobs = beat.recentJobs
    report.lastJobStarted = beat.lastJobStarted.map { (now - $0).inSeconds }
    report.outages = beat.outages.sorted().map(\.rawValue)
    report.lastError = beat.lastError
    report.lateTicks = beat.lateTicks
    report.missedTicks = beat.missedTicks
    report.droppedOutput = beat.droppedOutput
    report.sqlStatements = beat.sqlStatements
    report.redisCommands = beat.redisCommands
    return report
  }

  private func describe(_ job: JobTables.Job, _ now: MonotonicTime) -> StatusReport.Job {
    StatusReport.Job(
      type: job.type.rawValue, slot: job.slot, job: StatusText.clip(job.record.payload), group: job.record.group, pid: job.process.pid,
      since: (now - job.record.startedAt).inSeconds, limit: job.record.deadline.map { ($0 - now).inSeconds })
  }
}
