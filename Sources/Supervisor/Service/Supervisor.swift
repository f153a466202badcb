import Core
import Glibc
import Logging

/// The service: keeps one child per wanted type alive, tells them their configuration, and reaps what they leave.
///
/// All of it runs on one loop, nothing in it waits for anybody, and whatever it asks of the kernel it asks its host. The configuration is in `Supervisor+Configuration`, the end of
/// processes in `Supervisor+Reaping`, the end of the service in `Supervisor+Stop`, whether it does its work in
/// `Supervisor+Health`, what it says about itself in `Supervisor+Report`.
final class Supervisor {
  struct Options {
    /// How long a child must have been ready to count as healthy.
    var healthyThreshold = Duration.seconds(60)
    var log = Logger(label: "supervisor")
  }

  /// Between two looks at everything that has no event of its own.
  static let tickInterval = Duration.seconds(1)
  /// Reports are written every 30 s; what they are made of should not be much older than the moment.
  private static let informInterval = Duration.seconds(5)
  /// A child says something each second; what an old beat says may not be true any more.
  private static let freshness = Duration.seconds(15)
  /// A service that waits for its database is up all the same, and its STATUS says why: systemd would end it as one that never starts.
  static let readinessLimit = Duration.seconds(30)

  let log: Logger
  let loop: EventLoop
  let host: any SupervisorHost
  let notifier: ServiceNotifier
  let healthFile: HealthFile
  let logWatchdog: LogWatchdog
  let loader: ConfigurationLoader
  let tables: JobTables
  let enforcer: DeadlineEnforcer
  let children: [Child]
  let startedAt: MonotonicTime
  var entrance: (any OperatorEntrance)?
  let baseWatch: BaseWatch
  /// Why the runtime directory can't be made anew, as it was said.
  var placeFailure: String?
  private var tickDue: MonotonicTime

  var orphans = OrphanStatuses()
  var watchdog: WatchdogPolicy
  var fitness = FitnessPolicy()
  var saidUnhealthy = false
  /// How long types have started nothing although something is due; without those that do their work.
  var standstills: [TaskType: Duration] = [:]
  var standstillPolicies: [TaskType: StandstillPolicy] = [:]
  var troubles: [TaskType: TroublePolicy] = [:]
  private var informedAt: MonotonicTime?

  // Of the configuration.
  var settings: Settings?
  var limits = ScriptLimits()
  /// Where the settings came from, and what was said about them.
  var loaded: LoadedConfiguration?
  var automaticReload = AutomaticReloadPolicy()
  /// Why automatic reloads fail, as it was said last.
  var saidFailure: String?
  var epoch = 0
  var waitingReason: String?
  var loaderPolicy = RestartPolicy()
  var reload: Reload?
  var reloadAgain: [Reload.Answer] = []

  // Of the stop.
  var stopping: Stop?
  var exitCode: Int32 = 0
  private(set) var hasEnded = false
  /// The service is stopped or refused; with the exit code of the contract.
  var onEnd: (Int32) -> Void = { _ in }

  init(loop: EventLoop, host: any SupervisorHost, _ options: Options = Options()) {
    self.loop = loop
    self.host = host
    log = options.log
    startedAt = loop.now
    notifier = ServiceNotifier(manager: host.serviceManager, loop: loop, log: log)
    let surroundings = Child.Surroundings(loop: loop, host: host, healthyThreshold: options.healthyThreshold, log: log)
    children = SupervisedTypes.all.map { Child(type: $0, surroundings: surroundings) }
    healthFile = HealthFile(host: host, log: log)
    logWatchdog = LogWatchdog(host: host, log: log)
    loader = ConfigurationLoader(loop: loop, host: host, log: log)
    tables = JobTables(host: host, loop: loop)
    baseWatch = BaseWatch(host: host, log: log)
    enforcer = DeadlineEnforcer(host: host, tables: tables, log: log)
    watchdog = WatchdogPolicy(now: startedAt.sinceBoot)
    tickDue = startedAt + Self.tickInterval
    host.onSignal = { [weak self] in self?.received($0) }
  }

  /// Begins the service; from then on the loop drives it, until `onEnd`.
  func start() {
    connectChildren()
    openEntrance()
    loader.onWaiting = { [weak self] in self?.configurationWaits($0) }
    loader.onEnd = { [weak self] in self?.configurationEnded($0) }
    logWatchdog.replace = { [weak self] in self?.replaceRunning(everyChild: $0) }
    startLoader()
    scheduleTick()
    if let interval = notifier.watchdogInterval { scheduleWatchdog(every: interval / 2) }
    // What ended before the signals were ours.
    reap()
  }

  /// Nothing is left to wait for.
  func end() {
    hasEnded = true
    log.notice("stopped")
    host.onSignal = nil
    entrance?.close()
    entrance = nil
    onEnd(exitCode)
  }

  private func connectChildren() {
    for child in children {
      child.orphans = { [weak self, type = child.type] in
        guard let self else { return [] }
        return orphans.take(type, stillIn: tables.processes(type))
      }
      child.onAcknowledged = { [weak self, type = child.type] in self?.acknowledged(type, $0) }
      child.onReloadWanted = { [weak self] reason in
        self?.automaticReload.wanted(reason)
        self?.considerReload()
      }
      child.onChange = { [weak self] in self?.changed() }
    }
  }

  private func received(_ signal: Int32) {
    switch signal {
    case SIGCHLD: reap()
    case SIGHUP: startReload(nil)
    default: stop(because: "signal \(signal)")
    }
  }

  /// A child came, went or became ready.
  private func changed() {
    loop.afterTurn { [weak self] in
      guard let self else { return }
      considerReadiness()
      considerEnd()
    }
  }

  // MARK: Turning

  private func scheduleTick() {
    loop.schedule(at: tickDue) { [weak self] in self?.tick() }
  }

  private func tick() {
    guard !hasEnded else { return }
    let now = loop.now
    let lateness = SilencePolicy.shift(due: tickDue.sinceBoot, now: now.sinceBoot)
    if lateness > .zero {
      log.warning("this process was away for \(StatusText.age(lateness)): all clocks are set forward by that")
      for child in children { child.shift(by: lateness) }
      watchdog.shift(by: lateness)
      fitness.shift(by: lateness)
      for type in standstillPolicies.keys { standstillPolicies[type]?.shift(by: lateness) }
      logWatchdog.shift(by: lateness)
    }
    tickDue = now + Self.tickInterval
    scheduleTick()
    for child in children { child.check(now: now) }
    enforceDeadlines(now)
    observeHealth(now)
    observeFitness(now)
    considerReadiness()
    watchLog(now)
    watchPlace(now)
    considerReload()
    pressStop(now)
    informReporter(now)
    notifier.status(statusText(now))
    notifier.flush()
  }

  private func enforceDeadlines(_ now: MonotonicTime) {
    let alone = children.filter { $0.leavesScriptsAlone || stopping != nil && !$0.machine.isAlive }.map(\.type)
    let living = enforcer.enforce(alone, now: now, endAll: stopping?.killing ?? false)
    stopping?.scripts = living
    considerEnd()
  }

  /// The child that reports about the node to the database hears what the others have said.
  private func informReporter(_ now: MonotonicTime) {
    guard informedAt.map({ now - $0 >= Self.informInterval }) ?? true else { return }
    informedAt = now
    let fresh = children.compactMap { child in
      child.heardAt.flatMap { now - $0 < Self.freshness ? child.heartbeat : nil }.map { (child.type, $0) }
    }
    children.first { $0.type == .maintenance }?.inform(Dictionary(uniqueKeysWithValues: fresh))
  }

  private func watchLog(_ now: MonotonicTime) {
    guard stopping == nil else { return }
    // Without the database or Redis nothing is polled, so nothing is written; the pollers' child has said so.
    let outages = children.first { $0.type == .poller }?.heartbeat?.outages ?? []
    logWatchdog.turn(now: now, isExcused: !outages.isEmpty)
  }

  /// One that is on its way up or down already, or waits for its restart, is not the one that has been silent.
  private func replaceRunning(everyChild: Bool) {
    guard stopping == nil else { return }
    for child in children where child.machine.state == .running && (everyChild || child.type == .poller) { child.replace() }
  }

  private func considerReadiness() {
    guard !notifier.isReady, stopping == nil else { return }
    let now = loop.now
    let isUp = settings != nil && children.allSatisfy(\.isSettled)
    guard isUp || now - startedAt >= Self.readinessLimit else { return }
    notifier.status(statusText(now))
    notifier.ready()
    if isUp { log.notice("ready: \(statusText(now))") } else { log.warning("not working yet: \(statusText(now))") }
  }

  private func scheduleWatchdog(every interval: Duration) {
    loop.schedule(after: interval) { [weak self] in
      guard let self, !hasEnded else { return }
      notifier.watchdog(isWell: WatchdogPolicy.mayBeat(wantedConditions(loop.now)))
      scheduleWatchdog(every: interval)
    }
  }
}
