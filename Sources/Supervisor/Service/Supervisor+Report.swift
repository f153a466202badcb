import Core

extension Supervisor {
  /// What runs, by the job tables, read once for one answer: two looks would contradict each other.
  typealias Running = [TaskType: [JobTables.Job]]

  // MARK: Words

  func phase(_ now: MonotonicTime, _ running: Running? = nil) -> StatusText.Phase {
    if stopping != nil { return .draining(jobs: running.map { $0.values.reduce(0) { $0 + $1.count } } ?? runningJobs()) }
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

  func statusText(_ now: MonotonicTime, _ running: Running? = nil) -> String {
    StatusText.render(phase(now, running), children.filter { $0.machine.want || $0.machine.isAlive }.map { line($0, now, running) })
  }

  /// How many jobs a type has. A beat is up to a second old, and counts slots that have no script yet.
  private func busy(_ child: Child, _ running: Running?) -> Int {
    let said = child.heartbeat?.busy ?? 0
    // A child without a file for its table has nothing that could be read.
    guard let running, child.heartbeat?.tableFailure == nil else { return said }
    return running[child.type]?.count ?? said
  }

  private func line(_ child: Child, _ now: MonotonicTime, _ running: Running?) -> StatusText.Line {
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
      line.busy = busy(child, running)
      line.fault = trouble(child)
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
    let now = loop.now
    switch request.command {
    case .status:
      let report = report(now)
      answer(OperatorReply(ok: true, text: report.summary, status: report))
    case .health:
      let healthy = isHealthy(now) && stopping == nil
      let idle = watchdog.idleFor(now: now.sinceBoot).map { ", nothing polled for \(StatusText.age($0))" } ?? ""
      let places = complaints.map { "\($0.text); " }.joined()
      answer(OperatorReply(ok: healthy, text: "\(healthy ? "healthy" : "not healthy")\(idle): \(places)\(statusText(now))"))
    case .poll: enqueue(.poller, request.devices ?? [], answer)
    case .discover: enqueue(.discovery, request.devices ?? [], answer)
    case .locks: listLocks(answer)
    case .reload: startReload { ok, text in answer(OperatorReply(ok: ok, text: text)) }
    }
  }

  private func report(_ now: MonotonicTime) -> StatusReport {
    let running = Running(uniqueKeysWithValues: children.compactMap { child in tables.look(child.type).map { (child.type, $0) } })
    let name =
      switch phase(now, running) {
      case .starting: "starting"
      case .waiting: "waiting"
      case .working: "working"
      case .draining: "stopping"
      }
    return StatusReport(
      version: ProductVersion.text, pid: host.pid, base: host.base, node: settings?.nodeID, name: settings?.pollerName,
      uptime: (now - startedAt).inSeconds, phase: name, summary: statusText(now, running), healthy: isHealthy(now),
      epoch: epoch, warnings: warnings(), types: children.map { describe($0, now, running) },
      jobs: children.flatMap { running[$0.type] ?? [] }.map { describe($0, now) })
  }

  /// What the node's diagnosis has found. A child's messages are gossip, so they are cut and counted here too.
  private func warnings() -> [String] {
    complaints.map(\.text) + children.flatMap { $0.heartbeat?.warnings ?? [] }.prefix(16).map { StatusText.clip($0, to: 800) }
  }

  private func describe(_ child: Child, _ now: MonotonicTime, _ running: Running) -> StatusReport.Child {
    var report = StatusReport.Child(type: child.type.rawValue, state: child.machine.state.rawValue, wanted: child.machine.want)
    report.pid = child.pid > 0 ? child.pid : nil
    report.uptime = child.startedAt.map { (now - $0).inSeconds }
    report.generation = child.generation
    report.restarts = child.restarts
    report.lastRestart = child.lastDeath.map(StatusText.clip)
    report.crashLooping = child.isCrashLooping(now: now)
    report.nextStart = child.nextStart.map { ($0 - now).inSeconds }
    report.limits = limits.inForce[child.type] ?? []
    report.limitsMissing = limits.notInForce[child.type] ?? []
    report.heartbeatAge = child.heardAt.map { (now - $0).inSeconds }
    report.busy = busy(child, running)
    guard let beat = child.heartbeat else { return report }
    report.fault = trouble(child)
    report.tableFailure = beat.tableFailure
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
