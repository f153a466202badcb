import Core
import Glibc
import Simulation
import Testing

@testable import Supervisor

/// The product's supervisor on a virtual clock, without a kernel.
@Suite struct SimulatedServiceTests {
  /// One supervisor on one simulated machine.
  private final class Scene {
    let poller: SimulatedPoller
    let loop: EventLoop
    let trace: LogTrace
    let host: SimulatedSupervisorHost
    private(set) var supervisor: Supervisor?
    private(set) var exitCode: Int32?

    /// `uptime`: of the machine.
    init(seed: UInt64 = 1, uptime: Duration = .seconds(1), _ settings: Settings = Scene.settings()) {
      poller = SimulatedPoller(now: MonotonicTime(nanoseconds: uptime.nanoseconds))
      loop = EventLoop(poller: poller, generator: SeededGenerator(seed: seed))
      trace = LogTrace(loop: loop)
      host = SimulatedSupervisorHost(loop: loop, reports: [Scene.resolved(settings)])
    }

    static func settings(workers: Int = 4) -> Settings {
      var settings = Settings(base: "/opt/librenms", nodeID: "simulated", pollerName: "simulated")
      settings[.poller].workers = workers
      settings.healthFile = "/tmp/health"
      return settings
    }

    static func resolved(_ settings: Settings) -> ResolverReport { .resolved(settings: settings, entries: [], notes: []) }

    func start() {
      var options = Supervisor.Options()
      options.log = trace.logger("supervisor")
      let supervisor = Supervisor(loop: loop, host: host, options)
      supervisor.onEnd = { [unowned self] in exitCode = $0 }
      self.supervisor = supervisor
      supervisor.start()
    }

    /// SIGKILL: nothing of it runs any more, and its descriptors are closed.
    func killSupervisor() {
      host.processes.signal(host.pid, SIGKILL)
      supervisor = nil
    }

    func run(_ duration: Duration) throws {
      var isOver = false
      loop.schedule(after: duration) { isOver = true }
      while !isOver { try loop.turn() }
    }

    /// Runs until it is ready.
    func startUp() throws {
      start()
      try run(.seconds(3))
      try #require(host.manager.heard.contains("READY=1"), "\(trace.lines)")
    }

    func lines(_ words: String) -> [LogTrace.Line] { trace.lines.filter { $0.text.contains(words) } }

    func child(_ type: TaskType) throws -> Child { try #require(supervisor?.children.first { $0.type == type }) }
    func script(_ type: TaskType) throws -> ScriptedChild { try #require(host.children[type]) }

    func ask(_ command: OperatorRequest.Command, devices: [Int64]? = nil) throws -> OperatorReply {
      var reply: OperatorReply?
      try #require(host.entrance).serve(OperatorRequest(command: command, devices: devices)) { reply = $0 }
      if reply == nil { try run(.seconds(1)) }
      return try #require(reply)
    }
  }

  @Test func itComesUpAndSaysSo() throws {
    let scene = Scene()
    try scene.startUp()
    // Ping is off by default.
    let wanted: [TaskType] = [.poller, .discovery, .services, .alerting, .billing, .maintenance]
    #expect(Set(scene.host.children.keys) == Set(wanted))
    for type in wanted { #expect(try scene.child(type).machine.state == .running) }
    #expect(scene.lines("ready: ").count == 1)
    #expect(scene.host.manager.status.contains("poller 0/4 busy"), "\(scene.host.manager.status)")
    let health = try scene.ask(.health)
    #expect(health.ok, "\(health.text)")
    try scene.run(.seconds(60))
    #expect(scene.host.touches.count == 12 || scene.host.touches.count == 13, "every 5 s: \(scene.host.touches.count)")
    #expect(scene.host.manager.heard.filter { $0 == "WATCHDOG=1" }.count == 2)
    #expect(try scene.script(.maintenance).received.contains { if case .heartbeats(let all) = $0 { all.count == 6 } else { false } })
    #expect(scene.trace.lines.allSatisfy { $0.level < .warning }, "\(scene.trace.lines)")
  }

  @Test func oneDeathCostsOneTypeItsChild() throws {
    let scene = Scene()
    try scene.startUp()
    try scene.run(.seconds(120))
    let died = scene.loop.now
    scene.host.processes.signal(try scene.script(.poller).process.pid, SIGKILL)
    try scene.run(.seconds(1))
    // It was healthy: at once.
    #expect(scene.host.starts[.poller]?.count == 2)
    #expect(try #require(scene.host.starts[.poller]?.last) - died < .milliseconds(1))
    // A second death within a minute: 1 s and up to 20 %.
    let again = scene.loop.now
    scene.host.processes.signal(try scene.script(.poller).process.pid, SIGKILL)
    try scene.run(.seconds(5))
    let delay = try #require(scene.host.starts[.poller]?.last) - again
    #expect(delay >= .seconds(1) && delay <= .milliseconds(1201), "\(delay)")
    #expect(scene.host.starts.filter { $0.key != .poller }.allSatisfy { $0.value.count == 1 })
    #expect(try scene.child(.poller).restarts == 2)
    #expect(scene.host.processes.zombieCount == 0)
  }

  @Test func aSilentChildIsKilledWithinItsLimit() throws {
    let scene = Scene()
    scene.host.behaviours[.poller] = .silent
    scene.start()
    try scene.run(.seconds(33))
    // Ready within the first second, then 30 s and the next look.
    let killed = try #require(scene.lines("nothing was heard of it for").first?.time) - (try #require(scene.host.starts[.poller]?.first))
    #expect(killed > .seconds(30) && killed < .seconds(32), "\(killed)")
    #expect(scene.host.starts[.poller]?.count == 2 || scene.lines("the next start is").count == 1)
    #expect(try scene.child(.discovery).restarts == 0)
  }

  @Test func aCrashLoopIsSaidAndTheOthersWork() throws {
    let scene = Scene()
    scene.host.behaviours[.discovery] = .exits(1)
    scene.start()
    try scene.run(.seconds(600))
    let starts = try #require(scene.host.starts[.discovery])
    // Delays of 8, 16, 32 and then 60 s, each up to 20 % longer.
    let delays = zip(starts.dropFirst(), starts).map { $0 - $1 }
    for (delay, base) in zip(delays, [8, 16, 32, 60, 60, 60]) {
      #expect(delay >= .seconds(base) && delay <= .seconds(base) * 1.2 + .milliseconds(10), "\(delays)")
    }
    let said = scene.lines("crash-looping, 5 deaths")
    #expect(try #require(said.first).level == .critical)
    #expect(said.first?.time ?? scene.loop.now < starts[4] + .seconds(1))
    #expect(scene.host.manager.status.contains("discovery crash-looping, next start in"), "\(scene.host.manager.status)")
    #expect(scene.lines("not working yet").count == 1, "systemd hears of it after 30 s all the same")
    #expect(try scene.child(.poller).restarts == 0)
    // What works again is left in peace.
    scene.host.behaviours[.discovery] = nil
    try scene.run(.seconds(400))
    #expect(try scene.child(.discovery).machine.state == .running)
    #expect(try !scene.child(.discovery).isCrashLooping(now: scene.loop.now))
  }

  @Test func nonsenseEndsTheChild() throws {
    let scene = Scene()
    scene.host.behaviours[.billing] = .nonsense
    scene.start()
    try scene.run(.seconds(5))
    #expect(scene.lines("the child is killed: it sent a malformed 'heartbeat'").count == 1)
    #expect(try scene.child(.billing).machine.state == .backoff)
  }

  @Test func aStoppedChildIsReplacedAtOnce() throws {
    let scene = Scene()
    try scene.startUp()
    scene.host.processes.signal(try scene.script(.services).process.pid, SIGSTOP)
    try scene.run(.seconds(3))
    #expect(scene.lines("the child is killed: it was stopped by a signal").count == 1)
    #expect(try scene.child(.services).machine.state == .running)
  }

  @Test func aReloadBringsChangesToEveryChild() throws {
    let scene = Scene()
    try scene.startUp()
    scene.host.reports = [Scene.resolved(Scene.settings(workers: 9))]
    scene.host.processes.signal(scene.host.pid, SIGHUP)
    try scene.run(.seconds(2))
    for child in scene.host.children.values {
      let configured = child.received.compactMap {
        if case .configure(let epoch, _, let settings) = $0 { (epoch, settings[.poller].workers) } else { nil }
      }
      #expect(configured.map(\.0) == [1, 2] && configured.map(\.1) == [4, 9], "\(configured)")
    }
    #expect(scene.lines("reload: configuration 2 is in force").count == 1)
    #expect(scene.host.manager.heard.filter { $0.hasPrefix("RELOADING") || $0 == "READY=1" } == ["READY=1", "RELOADING=1", "READY=1"])
    #expect(scene.host.starts.values.allSatisfy { $0.count == 1 })
    // Nobody asks for it: once an hour.
    #expect(scene.host.readings == 2)
    try scene.run(.seconds(3700))
    #expect(scene.host.readings == 3)
  }

  @Test func aRejectedReloadIsAnsweredWithTheReason() throws {
    let scene = Scene()
    scene.host.behaviours[.alerting] = .rejects("it can't be done")
    try scene.startUp()
    scene.host.reports = [Scene.resolved(Scene.settings(workers: 9))]
    let reply = try scene.ask(.reload)
    #expect(!reply.ok && reply.text == "alerting keeps its old configuration: it can't be done", "\(reply)")
  }

  @Test func aHelperThatCanNotBeStartedIsTriedAgain() throws {
    let scene = Scene()
    scene.host.reports = nil
    scene.start()
    try scene.run(.seconds(40))
    #expect(scene.lines("librenms-configd can't be started").count >= 4)
    #expect(scene.host.manager.heard.contains("READY=1"), "up all the same after 30 s")
    #expect(scene.host.manager.status.hasPrefix("waiting for the configuration: librenms-configd can't be started"))
    scene.host.reports = [Scene.resolved(Scene.settings())]
    try scene.run(.seconds(80))
    #expect(try scene.child(.poller).machine.state == .running)
  }

  @Test func aRefusedConfigurationEndsItWithItsCode() throws {
    let scene = Scene()
    scene.host.reports = [.refused(exitCode: 3, message: "no NODE_ID")]
    scene.start()
    try scene.run(.seconds(3))
    #expect(scene.exitCode == 3)
    #expect(scene.lines("no NODE_ID").first?.level == .critical)
  }

  @Test func aStopWaitsForScriptsAndEndsWithZero() throws {
    let scene = Scene()
    try scene.startUp()
    let script = try scene.host.startScript(.poller, limit: .seconds(3600))
    scene.host.processes.signal(scene.host.pid, SIGTERM)
    // The children go at once here, so the script is the supervisor's to wait for.
    try scene.run(.seconds(100))
    #expect(scene.exitCode == nil)
    #expect(scene.host.processes.living.map(\.pid) == [scene.host.pid, script.pid])
    #expect(scene.host.manager.heard.contains("STOPPING=1"))
    #expect(scene.host.manager.status == "stopping: 1 job still runs")
    #expect(scene.host.manager.heard.filter { $0.hasPrefix("EXTEND_TIMEOUT_USEC") }.count == 11, "more time every 10 s")
    scene.host.processes.end(script.pid, .exited(0))
    try scene.run(.seconds(1))
    #expect(scene.exitCode == 0)
    #expect(scene.host.processes.zombieCount == 0)
    #expect(scene.host.entrance?.isInPlace == false)
    let (lines, messages) = (scene.trace.lines.count, scene.host.manager.heard.count)
    try scene.run(.seconds(60))
    #expect(scene.trace.lines.count == lines && scene.host.manager.heard.count == messages, "nothing of it runs any more")
  }

  @Test func aSecondSignalEndsTheScripts() throws {
    let scene = Scene()
    try scene.startUp()
    let script = try scene.host.startScript(.poller, limit: .seconds(3600))
    for _ in 0..<2 {
      scene.host.processes.signal(scene.host.pid, SIGTERM)
      try scene.run(.seconds(2))
    }
    #expect(scene.exitCode == 0)
    #expect(!scene.host.processes.isAlive(script))
  }

  @Test func aSupervisorThatWasFrozenKillsNobody() throws {
    let scene = Scene()
    try scene.startUp()
    for minutes in [1, 10, 600] {
      try scene.run(.seconds(17))
      scene.poller.advance(by: .seconds(60 * minutes))
      try scene.run(.seconds(60))
    }
    #expect(scene.lines("this process was away for").count == 3)
    #expect(scene.lines("killed").isEmpty)
    #expect(scene.host.starts.values.allSatisfy { $0.count == 1 })
  }

  @Test func aSuccessorLearnsHowAnOrphanEnded() throws {
    let scene = Scene()
    try scene.startUp()
    let script = try scene.host.startScript(.poller, limit: .seconds(3600))
    let helper = scene.host.processes.start(parent: script.pid, leads: false) { _ in }
    // Within its first minute: the next one starts after a second.
    scene.host.processes.signal(try scene.script(.poller).process.pid, SIGKILL)
    try scene.run(.milliseconds(500))
    scene.host.processes.end(script.pid, .exited(6))
    try scene.run(.seconds(3))
    let told = try scene.script(.poller).received.first
    #expect(told == .reaped(pid: script.pid, startTime: script.startTime, status: .exited(6)))
    #expect(!scene.host.processes.isAlive(helper), "what it left in its group ends with it")
    #expect(scene.host.processes.zombieCount == 0)
  }

  @Test func theLimitOfAScriptHoldsWhileItsChildIsAway() throws {
    let scene = Scene()
    try scene.startUp()
    let script = try scene.host.startScript(.poller, limit: .seconds(20))
    scene.host.behaviours[.poller] = .exits(1)
    scene.host.processes.signal(try scene.script(.poller).process.pid, SIGKILL)
    try scene.run(.seconds(19))
    #expect(scene.host.processes.isAlive(script))
    try scene.run(.seconds(3))
    #expect(!scene.host.processes.isAlive(script))
    #expect(scene.lines("it is over its limit, and its child is away").count == 1)
  }

  @Test func aChildsTermCountsWhenItIsGone() throws {
    // Longer than the machine of the test has been up: the table's times are the simulation's.
    let scene = Scene(uptime: .seconds(4000 * 86400))
    try scene.startUp()
    let script = try scene.host.startScript(.poller, limit: .seconds(1))
    try scene.run(.seconds(2))
    scene.host.tables[.poller]?.setTerminated(0, at: scene.loop.now)
    scene.host.behaviours[.poller] = .exits(1)
    scene.host.processes.signal(try scene.script(.poller).process.pid, SIGKILL)
    try scene.run(.milliseconds(4500))
    #expect(scene.host.processes.isAlive(script))
    try scene.run(.seconds(2))
    #expect(!scene.host.processes.isAlive(script), "KILL, 5 s after the child's TERM")
    #expect(scene.lines("it is over its limit, and its child is away").isEmpty, "not another TERM")
  }

  @Test func aKilledSupervisorTakesItsChildrenAlongAndAnotherBegins() throws {
    let scene = Scene()
    try scene.startUp()
    let script = try scene.host.startScript(.poller, limit: .seconds(3600))
    weak let first = scene.supervisor
    scene.killSupervisor()
    #expect(first == nil, "nothing that waits in the loop keeps it")
    try scene.run(.seconds(1))
    #expect(scene.host.processes.living == [script], "the children have seen the end of their sockets")
    // Another one on the same machine and loop, beside what is left of the first.
    let host = SimulatedSupervisorHost(
      loop: scene.loop, processes: scene.host.processes, tables: scene.host.tables, reports: [Scene.resolved(Scene.settings())])
    let second = Supervisor(loop: scene.loop, host: host)
    second.start()
    try scene.run(.seconds(3))
    #expect(host.manager.heard.contains("READY=1"))
    var jobs: [StatusReport.Job] = []
    host.entrance?.serve(OperatorRequest(command: .status)) { jobs = $0.status?.jobs ?? [] }
    #expect(jobs.map(\.pid) == [script.pid])
  }

  @Test func anOperatorIsAnsweredByTheChild() throws {
    let scene = Scene()
    try scene.startUp()
    let reply = try scene.ask(.poll, devices: [4, 5])
    #expect(reply.ok && reply.jobs?.map(\.payload) == ["4", "5"], "\(reply)")
  }

  /// Whatever happens, it happens again with the same seed.
  @Test(arguments: [1, 2, 3] as [UInt64]) func theSameSeedIsTheSameRun(seed: UInt64) throws {
    func trace() throws -> [String] {
      let scene = Scene(seed: seed)
      scene.host.behaviours[.discovery] = .exits(1)
      scene.host.behaviours[.billing] = .silent
      scene.start()
      for _ in 0..<20 {
        try scene.run(.seconds(1) * scene.loop.random(in: 1.0...20.0))
        let types = scene.host.children.keys.sorted { $0.rawValue < $1.rawValue }
        let victim = types[scene.loop.random(in: 0...types.count - 1)]
        if let pid = scene.host.children[victim]?.process.pid { scene.host.processes.signal(pid, SIGKILL) }
      }
      return scene.trace.lines.map(\.description) + scene.host.manager.heard
    }
    let first = try trace()
    #expect(first.count > 50)
    #expect(try trace() == first)
  }

  @Test func anHourCostsAMoment() throws {
    let scene = Scene()
    try scene.startUp()
    let begin = Self.processorTime()
    try scene.run(.seconds(3600))
    let cost = Self.processorTime() - begin
    #expect(try scene.child(.poller).heartbeat?.beat ?? 0 > 3590)
    #expect(scene.trace.lines.allSatisfy { $0.level < .warning }, "\(scene.trace.lines)")
    // A third of a second in a debug build; what it shares a core with can double that.
    #expect(cost < .seconds(1), "\(cost)")
  }

  /// Of this thread.
  private static func processorTime() -> Duration {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
  }
}
