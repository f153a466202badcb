import Core

/// Scripts that can't be started, whatever their job: one state instead of one failure for each device.
extension JobEngine {
  private var clock: Duration { .nanoseconds(loop.now.nanoseconds) }

  /// In a cluster the other nodes may have taken what waited, and nothing shows that it works again.
  private static let forgetting = Duration.seconds(60)

  /// Puts a job back whose script could not be started, and takes nothing for a while.
  func postpone(_ slot: JobSlot, _ cause: StartOutagePolicy.Cause, _ reason: String) {
    let jitter = Duration.milliseconds(loop.random(in: 0...300))
    switch startOutage.failed(cause, reason, at: clock, jitter: jitter) {
    case .begun: log.error("can't start scripts: \(reason); nothing is lost, and one at a time is tried until it works again")
    case .lasting(let failures): log.error("still can't start scripts after \(failures) attempts: \(reason)")
    case nil: break
    }
    lastError = reason
    startsPausedUntil = MonotonicTime(nanoseconds: startOutage.pausedUntil.nanoseconds)
    // It has not run: its period does not count from now.
    if let job = slot.job { ownClock.forget(job.item.payload) }
    send(.postponed, to: slot)
    finishDrainIfIdle()
  }

  /// The script was started and could not find or run its interpreter.
  func notRunnable(_ slot: JobSlot, _ code: Int32) {
    let output = slot.tail.lastLines(1)
    postpone(slot, .interpreter, "exit code \(code)\(output.isEmpty ? "" : ": " + output)")
  }

  /// A script was started, or `lived`: has shown that it runs.
  func startsWork(lived: Bool) {
    guard let lasted = startOutage.worked(lived: lived, at: clock) else { return }
    log.notice("scripts can be started again, after \(lasted.components.seconds) s and \(startOutage.failures) failed attempts")
    startsPausedUntil = nil
    wake()
  }

  /// An end that only a script can have that ran.
  func noteAlive(_ slot: JobSlot, _ ending: ExitCodePolicy.Ending) {
    if startOutage.isActive, isAttempt(slot), ending.wasSeen { startsWork(lived: true) }
  }

  /// One job at a time shows whether scripts start again.
  var isProbing: Bool {
    startOutage.isActive && slots.contains { $0.phase.isPending || $0.phase == .running && isAttempt($0) }
  }

  private func isAttempt(_ slot: JobSlot) -> Bool { slot.startedAt.nanoseconds > startOutage.failedAt.nanoseconds }

  /// To be called about every second.
  func lookAfterStarts(at now: MonotonicTime) {
    if startOutage.isActive,
      slots.contains(where: { $0.phase == .running && isAttempt($0) && now - $0.startedAt >= StartOutagePolicy.proof })
    {
      startsWork(lived: true)
    }
    if let until = startsPausedUntil, now >= until {
      startsPausedUntil = nil
      wake()
    }
    if startOutage.isActive, !isProbing, clock - startOutage.failedAt >= Self.forgetting {
      log.info(
        "nothing was there to be started for \(Self.forgetting.components.seconds) s: whether scripts can be started again is not known")
      startOutage = StartOutagePolicy()
      wake()
    }
  }
}
