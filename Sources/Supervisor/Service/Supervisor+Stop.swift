import Core

/// The end of the service under way.
struct Stop {
  /// The scripts are ended too.
  var killing = false
  /// When children that did not end their scripts in time are killed.
  var childLimit: MonotonicTime?
  var extendedAt: MonotonicTime?
  /// Scripts whose child is gone already.
  var scripts = 0
}

extension Supervisor {
  /// Between two requests for more time, and how much is asked for: the service manager must hear the next one before the last runs out.
  private static let extensionInterval = Duration.seconds(10)
  private static let extensionLength = Duration.seconds(30)
  /// TERM, 5 s, KILL, and as much again for what the child does then.
  private static let killLimit = DeadlinePolicy.grace * 2

  /// The first time: no new work, scripts finish. The second time: scripts are ended.
  func stop(because reason: String) {
    guard stopping == nil else { return stopNow(because: reason) }
    log.notice("stopping (\(reason)): no new work, running scripts finish; a second signal ends them")
    stopping = Stop()
    notifier.stopping()
    notifier.status(statusText(loop.now))
    loader.stop(because: "the service is stopping")
    answerReload(ok: false, "the service is stopping")
    reload = nil
    for answer in reloadAgain { answer(false, "the service is stopping") }
    reloadAgain = []
    for child in children { child.want(false) }
    countScripts()
    pressStop(loop.now)
    loop.afterTurn { [weak self] in self?.considerEnd() }
  }

  private func stopNow(because reason: String) {
    guard stopping?.killing == false else { return }
    log.warning("stopping now (\(reason)): running scripts are ended")
    stopping?.killing = true
    stopping?.childLimit = loop.now + Self.killLimit
    for child in children { child.stopNow() }
    countScripts()
  }

  private func countScripts() {
    let alone = children.filter { !$0.machine.isAlive }.map(\.type)
    let living = enforcer.enforce(alone, now: loop.now, endAll: stopping?.killing ?? false)
    stopping?.scripts = living
  }

  /// To be called about every second.
  func pressStop(_ now: MonotonicTime) {
    guard var state = stopping else { return }
    if state.extendedAt.map({ now - $0 >= Self.extensionInterval }) ?? true {
      notifier.extendTimeout(by: Self.extensionLength)
      state.extendedAt = now
    }
    if let limit = state.childLimit, now >= limit {
      state.childLimit = nil
      for child in children where child.machine.isAlive { child.endNow() }
    }
    stopping = state
  }

  /// Ends the service when nothing is left to wait for.
  func considerEnd() {
    guard stopping != nil, !hasEnded, !loader.isRunning, !children.contains(where: { $0.machine.isAlive }) else { return }
    countScripts()
    guard stopping?.scripts == 0 else { return }
    end()
  }

  /// Scripts that run, as far as this process knows.
  func runningJobs() -> Int {
    children.reduce(stopping?.scripts ?? 0) { $0 + ($1.machine.isAlive ? $1.heartbeat?.busy ?? 0 : 0) }
  }
}
