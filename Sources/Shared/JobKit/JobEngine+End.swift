import Core
import Glibc

extension JobEngine {
  /// Our own script has ended and is not reaped yet: its pid and group are still nobody else's.
  func ended(_ slot: JobSlot, _ status: ExitStatus) {
    guard let identity = slot.identity else { return }
    table.noteEnd(slot.index, status)
    // What the script left running in its group would write into the next job's output and hold its slot's pipe.
    host.killGroup(of: identity)
    finishOutput(of: slot)
    judgeEnd(slot, status)
  }

  /// A script whose status is known has ended.
  func judgeEnd(_ slot: JobSlot, _ status: ExitStatus) {
    let ending = ending(slot, status)
    if case .exited(let code) = ending, code == 126 || code == 127, type.needsInterpreter { return notRunnable(slot, code) }
    noteAlive(slot, ending)
    conclude(slot, ending, detail: memoryReason(slot, status) ?? "")
  }

  func ending(_ slot: JobSlot, _ status: ExitStatus) -> ExitCodePolicy.Ending {
    if table.terminatedAt(slot.index, now: loop.now) != nil {
      guard table.endedByStop(slot.index) else { return .timedOut }
      // It came to its end before the signal.
      return status == .exited(0) ? .exited(0) : .stopped
    }
    // The supervisor ends scripts at their limit while there is no child; the table can't show that, since only the child writes it.
    let signals: [ExitStatus] = [.signalled(SIGTERM), .signalled(SIGKILL), .exited(128 + SIGTERM), .exited(128 + SIGKILL)]
    if slot.adopted, let deadline = slot.deadline, deadline <= loop.now, signals.contains(status) { return .timedOut }
    switch status {
    case .exited(let code): return .exited(code)
    case .signalled(let signal): return .signalled(signal)
    }
  }

  /// Judges an end, keeps or releases the lock, counts, logs, and frees the slot. Killed in the middle, a successor does it again.
  func conclude(_ slot: JobSlot, _ ending: ExitCodePolicy.Ending, detail: String = "") {
    guard let job = slot.job else { return }
    let now = loop.now
    let id = Int64(job.item.payload)
    let frequency = settings[type.type].frequency
    let before = id.map { cooldowns?.failures(of: $0) ?? 0 } ?? 0
    let verdict = ExitCodePolicy.verdict(
      type.exitKind(settings), ending, failures: before, downRetry: settings.pollerDownRetry, frequency: frequency)

    var hold: Duration?
    switch verdict.hold {
    case .release: hold = nil
    case .keep(let duration): hold = duration
    case .untilFrequency: hold = max(.zero, slot.startedAt + frequency - now)
    }
    #if MUTANTS
      if Mutant.active == .holdForgotten { hold = nil }
    #endif
    if let id, verdict.outcome != .cut {
      if let hold {
        cooldowns?.set(id, .init(until: now + hold, failures: verdict.outcome == .failed ? before + 1 : 0))
      } else if cooldowns?.cooldowns[id] != nil {
        cooldowns?.clear(id)
      }
    }
    #if MUTANTS
      if Mutant.active == .periodFromEnd { ownClock.began(job.item.payload, at: .nanoseconds(now.nanoseconds)) }
    #endif
    ownClock.ended(job.item.payload, isDone: verdict.outcome == .done, at: .nanoseconds(now.nanoseconds))
    if verdict.outcome == .cut {
      endedByStop += 1
    } else {
      counters.ended(duration: now - slot.startedAt, failed: verdict.outcome == .failed, wasSeen: ending.wasSeen, at: now)
    }
    if ending == .exited(0), id != nil {
      stayedDue.succeeded(job.item.payload, startedAt: .nanoseconds(slot.startedAt.nanoseconds), at: .nanoseconds(now.nanoseconds))
    }
    report(slot, job, ending, verdict, hold: hold, detail: detail)
    lookAtOutput(slot, job, ending, verdict)
    onConcluded?(job.item)
    send(.judged(hold: hold), to: slot)
  }

  private func report(
    _ slot: JobSlot, _ job: TakenJob, _ ending: ExitCodePolicy.Ending, _ verdict: ExitCodePolicy.Verdict, hold: Duration?, detail: String
  ) {
    let took = (loop.now - slot.startedAt).inSeconds
    let seconds = "\((took * 10).rounded() / 10) s"
    let what: String =
      switch ending {
      case .exited(let code): "exit code \(code) after \(seconds)"
      case .signalled(let signal): "killed by signal \(signal) after \(seconds)"
      case .timedOut: "ended at its limit after \(seconds)"
      case .stopped: "ended by the stop after \(seconds)"
      case .notStarted: "could not be started"
      case .unseenDone: "done while nobody watched"
      case .unseen: "ended while nobody watched"
      case .unseenDown: "device down, seen after a restart"
      case .unseenLost: "did not survive a restart of the dispatcher"
      }
    var line = "\(name(of: job.item)): \(what)"
    if !detail.isEmpty { line += ": \(detail)" }
    if verdict.outcome == .failed {
      let output = slot.tail.lastLines(type.linesOfFailure)
      if !output.isEmpty { line += ": \(output)" }
      lastError = line
      if let hold { line += "; not again for \(hold.components.seconds) s" }
    }
    if ending == .unseenLost {
      noteLost(job)
      return log.debug("\(line)")
    }
    switch verdict.severity {
    case .none, .debug: log.debug("\(line)")
    case .warning: log.warning("\(line)")
    case .error: log.error("\(line)")
    }
  }

  /// Scripts that died with a predecessor or the machine's last minutes are judged one by one and told together.
  private func noteLost(_ job: TakenJob) {
    lost.append(name(of: job.item))
    guard lost.count == 1 else { return }
    loop.schedule(after: Self.lostGathering) { [weak self] in
      guard let self else { return }
      let names = lost.prefix(5).joined(separator: ", ") + (lost.count > 5 ? " …" : "")
      log.warning("\(lost.count) scripts did not survive a restart of the dispatcher, their jobs are due again at once: \(names)")
      lost = []
    }
  }

  private static let lostGathering = Duration.seconds(1)

  // MARK: Limits

  /// Looks at every running script's deadline, and sets the timer for the next one.
  func enforceDeadlines() {
    #if MUTANTS
      if Mutant.active == .limitForgotten { return }
    #endif
    let now = loop.now
    for slot in slots where slot.phase == .running {
      switch DeadlinePolicy.action(deadline: slot.deadline, terminatedAt: table.terminatedAt(slot.index, now: loop.now), now: now) {
      case .none: break
      case .terminate: terminate(slot, byStop: false)
      case .kill:
        #if MUTANTS
          if Mutant.active == .killForgotten { break }
        #endif
        slot.watch?.signalGroup(SIGKILL)
      }
    }
    scheduleDeadline()
  }

  func terminate(_ slot: JobSlot, byStop: Bool) {
    guard table.terminatedAt(slot.index, now: loop.now) == nil, let job = slot.job else { return }
    // A stop is said once for all of them.
    if !byStop { log.warning("\(name(of: job.item)): it is over its limit; its processes are ended") }
    table.setTerminated(slot.index, at: loop.now, byStop: byStop)
    slot.watch?.signalGroup(SIGTERM)
  }

  /// A timer for the earliest deadline, so that the limit is kept to the millisecond and not to the second of `turn`.
  func scheduleDeadline() {
    var next: MonotonicTime?
    for slot in slots where slot.phase == .running {
      let look = DeadlinePolicy.nextLook(deadline: slot.deadline, terminatedAt: table.terminatedAt(slot.index, now: loop.now))
      if let look, next.map({ look < $0 }) ?? true { next = look }
    }
    // After a KILL the look lies in the past; the end itself wakes the loop, and `turn` looks again each second.
    guard let next, next > loop.now else { return }
    if let timer = deadlineTimer {
      if timer.due == next { return }
      loop.cancel(timer.token)
    }
    let token = loop.schedule(at: next) { [weak self] in
      self?.deadlineTimer = nil
      self?.enforceDeadlines()
    }
    deadlineTimer = (next, token)
  }
}
