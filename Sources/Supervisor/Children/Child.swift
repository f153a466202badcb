import Core
import Logging

/// One type's child: carries out what its state machine decides, and knows what the child said last.
final class Child {
  /// What a child needs of the supervisor around it.
  struct Surroundings {
    let loop: EventLoop
    let host: any SupervisorHost
    let healthyThreshold: Duration
    let log: Logger
  }

  /// The configuration in force, sent whole each time.
  struct Configuration {
    var epoch: Int
    var mayLead: Bool
    var settings: Settings
  }

  /// An answer to a `configure`.
  enum Acknowledgement {
    case accepted
    case rejected(String)
  }

  /// A child that was killed and not reaped for this long hangs in the kernel.
  static let killLimit = Duration.seconds(10)
  /// Scripts can wait so long for a successor to enforce their limits; it knows more about them than the supervisor.
  static let shortAbsence = Duration.seconds(5)

  let type: TaskType
  let log: Logger
  private let surroundings: Surroundings
  private(set) var machine = ChildStateMachine()
  private var policy: RestartPolicy
  private var port: (any SupervisorPort)?
  private let questions: ChildQuestions
  private var silence: SilencePolicy?
  private var restartTimer: TimerToken?
  private(set) var pid: Int32 = 0
  private var saidHello = false
  private(set) var startedAt: MonotonicTime?
  private(set) var readySince: MonotonicTime?
  private(set) var killedAt: MonotonicTime?
  private(set) var nextStart: MonotonicTime?
  private var restartDelay: Duration?
  private(set) var heartbeat: Heartbeat?
  private(set) var heardAt: MonotonicTime?
  /// Deaths that nobody asked for, since the supervisor started.
  private(set) var restarts = 0
  private(set) var lastDeath: String?
  private(set) var generation = 0
  private var killReason: String?
  private(set) var configuration: Configuration?
  /// What the child has to answer yet.
  private(set) var awaitedEpoch: Int?

  /// The statuses of orphans that the child should know before it adopts.
  var orphans: () -> [OrphanStatuses.Entry] = { [] }
  var onAcknowledged: (Acknowledgement) -> Void = { _ in }
  /// The child has seen that the configuration may have changed.
  var onReloadWanted: (String) -> Void = { _ in }
  /// Something that the status line or the readiness of the service depends on.
  var onChange: () -> Void = {}

  init(type: TaskType, surroundings: Surroundings) {
    self.type = type
    self.surroundings = surroundings
    questions = ChildQuestions(loop: surroundings.loop)
    policy = RestartPolicy(healthyThreshold: surroundings.healthyThreshold)
    var log = surroundings.log
    log[metadataKey: "type"] = "\(type.rawValue)"
    self.log = log
  }

  var isSettled: Bool { !machine.want || machine.state == .running }
  func isCrashLooping(now: MonotonicTime) -> Bool { policy.isCrashLooping(now: now.sinceBoot) }

  /// No process enforces the limits of this child's scripts, and none was to do so within 5 s.
  var leavesScriptsAlone: Bool { !machine.isAlive && restartDelay.map { $0 > Self.shortAbsence } ?? true }

  // MARK: What is wanted

  func want(_ on: Bool) { perform(machine.wanted(on)) }
  /// A setting has changed that can't be applied to a running child: its successor starts with it and takes the scripts over.
  func replace() { perform(machine.replacementRequested()) }
  func stopNow() { perform(machine.killRequested()) }

  /// SIGKILL to a child that had its time to end its scripts.
  func endNow() { misbehaved("it did not end in time") }

  /// A configuration was loaded. A child that runs gets it now, others when they say hello.
  func configure(_ new: Configuration) {
    configuration = new
    if machine.state == .starting || machine.state == .running, saidHello { sendConfiguration() }
    perform(machine.configurationChanged())
  }

  private func sendConfiguration() {
    guard let configuration else { return }
    awaitedEpoch = configuration.epoch
    send(.configure(epoch: configuration.epoch, mayLead: configuration.mayLead, settings: configuration.settings))
  }

  func tell(_ orphan: OrphanStatuses.Entry) {
    guard saidHello, machine.isAlive else { return }
    send(.reaped(pid: orphan.process.pid, startTime: orphan.process.startTime, status: orphan.status))
  }

  /// The runtime directory is another one now.
  func move(to directory: String) {
    guard machine.isAlive else { return }
    send(.move(runtimeDirectory: directory))
  }

  /// What the children have said last, for the one that reports about the node. It is worth nothing later: a child that is not ready
  /// gets none.
  func inform(_ heartbeats: [TaskType: Heartbeat]) {
    guard machine.state == .running else { return }
    send(.heartbeats(heartbeats))
  }

  /// Asks a child that runs; the answer comes once.
  func ask(_ question: (Int) -> Downward, _ answer: @escaping ChildQuestions.Answer) {
    send(question(questions.ask(answer)))
  }

  private func send(_ message: Downward) {
    guard let port else { return }
    if !port.send(message) { misbehaved("it does not read what the supervisor sends") }
  }

  // MARK: Carrying out

  private func perform(_ actions: [ChildStateMachine.Action]) {
    for action in actions {
      switch action {
      case .spawn: spawn()
      case .drain(let kill): drain(kill: kill)
      case .kill: killNow()
      case .scheduleRestart: scheduleRestart()
      case .cancelRestart: cancelRestart()
      case .forgetDeaths: policy.forget()
      case .announceFailure:
        log.critical("the child says that its configuration can't work and is not started again until that changes; see its own messages")
      }
    }
    if !actions.isEmpty { onChange() }
  }

  private func spawn() {
    restartTimer = nil
    nextStart = nil
    restartDelay = nil
    do throws(SystemError) {
      try launch()
      log.info("started", metadata: ["child": "\(pid)", "generation": "\(generation)"])
    } catch {
      lastDeath = "could not be started: \(error)"
      log.error("can't start the child: \(error)")
      perform(machine.spawnFailed())
    }
  }

  private func launch() throws(SystemError) {
    let (pid, port) = try surroundings.host.startChild(type)
    self.pid = pid
    let now = surroundings.loop.now
    generation += 1
    startedAt = now
    silence = SilencePolicy(now: now.sinceBoot)
    saidHello = false
    port.onMessage = { [weak self] in self?.receive($0) }
    port.onClose = { [weak self] in self?.closed($0) }
    self.port = port
  }

  private func drain(kill: Bool) {
    guard saidHello else { return killNow() }
    send(.drain(kill: kill))
  }

  private func killNow() {
    guard pid > 0 else { return }
    killedAt = killedAt ?? surroundings.loop.now
    surroundings.host.kill(pid)
  }

  private func scheduleRestart() {
    #if MUTANTS
      if Mutant.active == .restartForgotten { return }
    #endif
    let now = surroundings.loop.now
    let verdict = policy.died(now: now.sinceBoot, readySince: readySince?.sinceBoot, dice: surroundings.loop.random(in: 0...1))
    readySince = nil
    let next = verdict.delay == .zero ? "at once" : "in \(StatusText.age(verdict.delay))"
    if verdict.crashLooping {
      let deaths = "\(RestartPolicy.crashLoopDeaths) deaths within \(StatusText.age(RestartPolicy.crashLoopWindow))"
      log.critical("crash-looping, \(deaths); the next start is \(next), the other types are not affected. Last: \(lastDeath ?? "unknown")")
    } else {
      log.warning("\(lastDeath ?? "the child is gone"); the next start is \(next)")
    }
    nextStart = now + verdict.delay
    restartDelay = verdict.delay
    restartTimer = surroundings.loop.schedule(after: verdict.delay) { [weak self] in
      guard let self else { return }
      perform(machine.restartDue())
    }
  }

  private func cancelRestart() {
    if let restartTimer { surroundings.loop.cancel(restartTimer) }
    restartTimer = nil
    nextStart = nil
    restartDelay = nil
  }

  // MARK: What the child says

  private func receive(_ message: UpwardMessage) {
    switch message {
    case .garbage(let what): misbehaved("it sent \(what)")
    case .unknown(let name): log.notice("an unknown message '\(name)' of the child is ignored", metadata: ["child": "\(pid)"])
    case .known(let message): receive(message)
    }
  }

  private func receive(_ message: Upward) {
    guard saidHello else {
      guard case .hello(let wire, let type, let pid, let version) = message else { return misbehaved("it spoke before its hello") }
      return hello(wire: wire, type: type, pid: pid, version: version)
    }
    let now = surroundings.loop.now
    switch message {
    case .hello: misbehaved("it said hello twice")
    case .ready(let epoch): ready(epoch, now)
    case .heartbeat(let beat):
      // A repeated beat proves no turn of the loop.
      guard beat.beat > heartbeat?.beat ?? 0 else { return }
      heartbeat = beat.bounded
      heardAt = now
      // Before `ready` only `ready` counts: beats of a child that never comes up would hide that.
      if readySince != nil { silence?.heard(now: now.sinceBoot) }
    case .enqueued(let number, let results): questions.heard(number, results)
    case .locks(let number, let page): questions.heard(number, page)
    case .reloadWanted(let reason): onReloadWanted(StatusText.clip(reason))
    case .configRejected(let epoch, let reason):
      guard epoch == awaitedEpoch else { return }
      awaitedEpoch = nil
      log.error("the child can't apply the new configuration and keeps the old one: \(StatusText.clip(reason))")
      onAcknowledged(.rejected(StatusText.clip(reason)))
      if readySince == nil { misbehaved("it rejected its first configuration") }
    }
  }

  private func hello(wire: Int, type: TaskType, pid: Int32, version: String) {
    guard wire == wireVersion else {
      return misbehaved("it speaks version \(wire) of the messages and this supervisor \(wireVersion): the installation is mixed")
    }
    guard type == self.type else { return misbehaved("it says that it is the child of type \(type.rawValue)") }
    saidHello = true
    silence?.heard(now: surroundings.loop.now.sinceBoot)
    log.debug("hello from \(StatusText.clip(version))", metadata: ["child": "\(pid)"])
    for orphan in orphans() { tell(orphan) }
    sendConfiguration()
  }

  private func ready(_ epoch: Int, _ now: MonotonicTime) {
    guard let configuration, epoch <= configuration.epoch else { return misbehaved("it is ready for a configuration that it never got") }
    if readySince == nil { readySince = now }
    silence?.becameReady(now: now.sinceBoot, shortestLock: LockLifetime.shortest(type, configuration.settings))
    perform(machine.becameReady())
    if epoch == awaitedEpoch {
      awaitedEpoch = nil
      onAcknowledged(.accepted)
    }
    onChange()
  }

  private func closed(_ closing: FrameChannel.Closing) {
    port = nil
    switch closing {
    case .garbage(.tooLong(let announced, let limit)):
      misbehaved("it announced a message of \(announced) bytes, over the limit of \(limit)")
    case .garbage(.empty): misbehaved("it sent an empty message")
    case .failed(let error): misbehaved("its socket failed: \(error)")
    // A child that ends closes its socket a moment before it can be reaped; its status tells more than the socket.
    case .ended(let pending):
      let what = pending > 0 ? "it closed its socket in the middle of a message" : "it closed its socket"
      let watched = generation
      surroundings.loop.schedule(after: .seconds(1)) { [weak self] in
        guard let self, generation == watched, pid > 0, machine.state != .stopping else { return }
        misbehaved(what)
      }
    }
  }

  private func misbehaved(_ reason: String) {
    guard pid > 0 else { return }
    if killReason == nil {
      killReason = reason
      log.error("the child is killed: \(reason)", metadata: ["child": "\(pid)", "generation": "\(generation)"])
    }
    // Nothing that it says from here on counts.
    port?.close()
    port = nil
    perform(machine.misbehaved())
  }

  // MARK: Silence and death

  /// To be called about every second.
  func check(now: MonotonicTime) {
    guard pid > 0, killedAt == nil, let silence else { return }
    switch silence.verdict(now: now.sinceBoot, isStopped: false) {
    case .fine, .stopped: return
    case .silent(let duration):
      let stage = !saidHello ? "it did not say hello" : readySince == nil ? "it did not become ready" : "nothing was heard of it"
      misbehaved("\(stage) for \(StatusText.age(duration))")
    }
  }

  /// Somebody sent it SIGSTOP: it can't work, and its locks run out.
  func stopped() {
    misbehaved("it was stopped by a signal")
  }

  /// The supervisor was away and has heard nothing meanwhile.
  func shift(by lateness: Duration) {
    silence?.shift(by: lateness)
    killedAt = killedAt.map { $0 + lateness }
  }

  /// How an end is said that was asked for: nobody should take it for a crash.
  private func farewell(_ status: ExitStatus) -> String {
    if machine.replacing { return "replaced as asked: its successor takes its scripts over" }
    if killedAt != nil { return "killed, since it had to end" + (killReason.map { ": \($0)" } ?? "") }
    return status == .exited(0) ? "ended as asked" : "ended with \(status) when it was asked to end"
  }

  /// It is a zombie and will be reaped now.
  func exited(_ status: ExitStatus) {
    let age = startedAt.map { " after \(StatusText.age(surroundings.loop.now - $0))" } ?? ""
    let deliberate = machine.state == .stopping && (!machine.want || machine.replacing)
    if deliberate {
      log.info("\(farewell(status))", metadata: ["child": "\(pid)", "generation": "\(generation)"])
    } else {
      restarts += 1
      lastDeath = killReason.map { "killed\(age): \($0)" } ?? "ended with \(status)\(age)"
    }
    port?.close()
    port = nil
    pid = 0
    silence = nil
    killReason = nil
    killedAt = nil
    startedAt = nil
    saidHello = false
    heartbeat = nil
    heardAt = nil
    questions.failAll()
    if deliberate { readySince = nil }
    let actions = machine.exited(permanent: status == .exited(ChildLaunch.structuralExit))
    if machine.state != .backoff { readySince = nil }
    perform(actions)
    onChange()
  }
}
