/// What happens to one child, decided without knowing how: events in, actions out.
///
/// `want` is what the configuration asks for, `state` is what is. Every event is answered in every state; an event that makes no sense
/// there (a late timer, a second exit) changes nothing.
struct ChildStateMachine: Equatable, Sendable {
  enum State: String, CaseIterable, Sendable {
    /// No process, and none is to come.
    case stopped
    /// A process that has not said `ready` yet.
    case starting
    case running
    /// A process that was told to go or is being killed.
    case stopping
    /// No process; the next one comes when the delay of the restart policy is over.
    case backoff
    /// It exited with the code that says "my configuration can't work"; only a new configuration starts it again.
    case failed
  }

  enum Action: Equatable, Sendable {
    case spawn
    /// Asks the child to take no new work and to exit when its scripts are done; `kill` ends the scripts too.
    case drain(kill: Bool)
    /// SIGKILL to the child alone: its scripts live on and are adopted.
    case kill
    /// Asks the restart policy for a delay and arms the timer that ends in `restartDue`.
    case scheduleRestart
    case cancelRestart
    /// A new configuration is a new chance: earlier deaths no longer count.
    case forgetDeaths
    case announceFailure
  }

  private(set) var state = State.stopped
  private(set) var want = false
  /// The exit that is awaited was asked for, and the successor comes at once and is no restart in the sense of the policy.
  private(set) var replacing = false

  /// A process exists.
  var isAlive: Bool { state == .starting || state == .running || state == .stopping }

  /// The configuration wants this child to run, or no longer does.
  mutating func wanted(_ on: Bool) -> [Action] {
    on ? wantedOn() : wantedOff()
  }

  private mutating func wantedOn() -> [Action] {
    let changed = !want
    want = true
    switch state {
    case .stopped:
      state = .starting
      return [.spawn]
    case .stopping:
      // It was on its way out because nobody wanted it, and takes no work while its last script runs: its successor takes over both.
      guard changed else { return [] }
      replacing = true
      return [.kill]
    case .starting, .running, .backoff, .failed:
      return []
    }
  }

  private mutating func wantedOff() -> [Action] {
    want = false
    replacing = false
    switch state {
    case .starting, .running:
      state = .stopping
      return [.drain(kill: false)]
    case .backoff:
      state = .stopped
      return [.cancelRestart]
    case .failed:
      state = .stopped
      return []
    case .stopped, .stopping:
      return []
    }
  }

  /// The process could not be started at all.
  mutating func spawnFailed() -> [Action] {
    guard state == .starting else { return [] }
    state = .backoff
    return [.scheduleRestart]
  }

  /// The child accepted its configuration and its job table.
  mutating func becameReady() -> [Action] {
    guard state == .starting else { return [] }
    state = .running
    return []
  }

  /// It is silent, stopped, or sent what is not a message: it must go, and the restart policy decides when the next one comes.
  mutating func misbehaved() -> [Action] {
    switch state {
    case .starting, .running:
      state = .stopping
      replacing = false
      return [.kill]
    case .stopping:
      return [.kill]
    case .stopped, .backoff, .failed:
      return []
    }
  }

  /// The process was reaped. `permanent`: it said that a restart with the same configuration can't help.
  mutating func exited(permanent: Bool) -> [Action] {
    guard isAlive else { return [] }
    let replace = replacing
    replacing = false
    guard want else {
      state = .stopped
      return []
    }
    if replace {
      state = .starting
      return [.spawn]
    }
    if permanent {
      state = .failed
      return [.announceFailure]
    }
    state = .backoff
    return [.scheduleRestart]
  }

  /// The delay of the restart policy is over.
  mutating func restartDue() -> [Action] {
    guard state == .backoff else { return [] }
    state = .starting
    return [.spawn]
  }

  /// A new process is to take over: a new executable, or a setting that can't be applied to a running one.
  mutating func replacementRequested() -> [Action] {
    guard want else { return [] }
    switch state {
    case .starting, .running, .stopping:
      state = .stopping
      replacing = true
      return [.kill]
    case .backoff:
      state = .starting
      return [.cancelRestart, .spawn]
    case .failed:
      state = .starting
      return [.forgetDeaths, .spawn]
    case .stopped:
      return []
    }
  }

  /// A configuration was loaded: what failed for good under the old one gets another chance.
  mutating func configurationChanged() -> [Action] {
    guard state == .failed, want else { return [] }
    state = .starting
    return [.forgetDeaths, .spawn]
  }

  /// The operator does not want to wait for the scripts any longer.
  mutating func killRequested() -> [Action] {
    let before = wantedOff()
    guard state == .stopping else { return before }
    return [.drain(kill: true)]
  }
}
