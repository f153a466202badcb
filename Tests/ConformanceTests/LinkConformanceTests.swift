import Core
import JobKit
import Logging
import Redis
import RedisFixture
import Testing

import class Fixture.LogLines

@testable import Simulation

/// The product's link meets the same events in the same order over a socket and over the simulated network.
@Suite(.serialized) struct LinkConformanceTests {
  /// One link and what happened to it, on either server.
  private class Stage {
    let link: RedisLink
    let lines: LogLines
    private(set) var events: [String] = []

    init(_ link: RedisLink, _ lines: LogLines) {
      (self.link, self.lines) = (link, lines)
      link.onChange = { [weak self] in self?.events.append($0 ? "up" : "down") }
    }

    func ask(_ words: String..., as name: String) {
      link.send(words.map { RedisArgument($0) }) { [weak self] in self?.note($0, name) }
      events.append("\(name) is sent")
    }

    func run(_ script: RedisScript, as name: String) {
      link.eval(script, keys: [RandomCommands.alive], arguments: ["nobody"]) { [weak self] in self?.note($0, name) }
      events.append("\(name) is sent")
    }

    private func note(_ result: Result<RedisReply, RedisError>, _ name: String) {
      switch result {
      case .success(let reply): events.append("\(name): \(reply)")
      case .failure(let error): events.append("\(name) fails: \(error.kind)")
      }
    }

    /// Waits until so many things have happened.
    func wait(_ what: String, _ condition: () -> Bool) {
      let limit = now + .seconds(10)
      while !condition(), now < limit { turn() }
      if !condition() { events.append("no \(what) within 10 s") }
    }

    func answered(_ name: String) -> Bool { events.contains { $0.hasPrefix("\(name): ") || $0.hasPrefix("\(name) fails") } }

    var now: MonotonicTime { preconditionFailure("a stage has a clock") }
    func turn() {}
    func kill() throws {}
    func start() throws {}
    func hang(_ begins: Bool) throws {}
    func become(_ condition: SimulatedRedis.Condition) throws {}
    func forgetScripts() throws {}
    func forbidScripts(_ begins: Bool) throws {}
  }

  private final class RealStage: Stage {
    private let server: RedisServer
    private let loop: EventLoop

    init() throws {
      server = try RedisServer()
      loop = try EventLoop()
      var settings = server.settings
      settings.timeout = .seconds(1)
      let lines = LogLines()
      let availability = RedisAvailability(log: Logger(label: "real") { _ in lines })
      super.init(RedisLink(loop: loop, settings: settings, name: "real", availability: availability), lines)
    }

    override var now: MonotonicTime { loop.now }
    override func turn() { try? loop.turn(limit: .milliseconds(10)) }
    override func kill() { server.kill() }
    override func start() throws { try server.start() }
    override func hang(_ begins: Bool) throws { if begins { try server.freeze() } else { try server.thaw() } }
    override func become(_ condition: SimulatedRedis.Condition) throws {
      try server.command("CONFIG", "SET", "maxmemory", condition == .outOfMemory ? "1" : "0")
      if condition == .readOnly { try server.command("REPLICAOF", "127.0.0.1", "1") } else { try server.command("REPLICAOF", "NO", "ONE") }
    }
    override func forgetScripts() throws { try server.command("SCRIPT", "FLUSH") }
    override func forbidScripts(_ begins: Bool) throws {
      try server.command("ACL", "SETUSER", "default", begins ? "-@scripting" : "+@scripting")
    }
  }

  private final class SimulatedStage: Stage {
    private let server: SimulatedRedis
    private let loop: EventLoop

    init() {
      loop = EventLoop(poller: SimulatedPoller(), generator: SeededGenerator(seed: 1))
      server = SimulatedRedis(loop: loop)
      var settings = RedisSettings()
      settings.timeout = .seconds(1)
      let lines = LogLines()
      let log = Logger(label: "simulated") { _ in lines }
      super.init(SimulatedRedisPath(to: server).makeLink(settings: settings, log: log), lines)
    }

    override var now: MonotonicTime { loop.now }
    override func turn() { try? loop.turn(limit: .milliseconds(10)) }
    override func kill() { server.stop() }
    override func start() { server.start(keepingData: false) }
    override func hang(_ begins: Bool) { if begins { server.freeze() } else { server.thaw() } }
    override func become(_ condition: SimulatedRedis.Condition) { server.condition = condition }
    override func forgetScripts() { server.forgetScripts() }
    override func forbidScripts(_ begins: Bool) { server.forbidsScripts = begins }
  }

  /// What happens on both; the same events, and as many lines of the same beginnings.
  private func compare(_ scene: (Stage) throws -> Void) throws {
    let (real, simulated) = (try RealStage(), SimulatedStage())
    for stage in [real, simulated] {
      stage.ask("PING", as: "too early")
      stage.link.start()
      stage.wait("connection") { stage.link.isUp }
      try scene(stage)
      stage.link.stop()
    }
    #expect(real.events == simulated.events)
    let beginnings = { (stage: Stage) in stage.lines.all.map { $0.split(separator: ":")[0] } }
    #expect(beginnings(real) == beginnings(simulated), "\(real.lines.all) \(simulated.lines.all)")
    #expect(real.events.contains { $0.hasPrefix("no ") } == false, "\(real.events)")
  }

  @Test func aServerThatIsKilledAndComesBack() throws {
    try compare { stage in
      stage.ask("SET", "a", "1", as: "first")
      stage.wait("answer") { stage.answered("first") }
      try stage.kill()
      stage.wait("end") { !stage.link.isUp }
      stage.ask("GET", "a", as: "second")
      stage.wait("answer") { stage.answered("second") }
      stage.wait("refusal") { stage.lines.all.count == 2 }
      try stage.start()
      stage.wait("return") { stage.link.isUp }
      stage.ask("GET", "a", as: "third")
      stage.wait("answer") { stage.answered("third") }
    }
  }

  @Test func aServerThatHangsWithCommandsUnderWay() throws {
    try compare { stage in
      try stage.hang(true)
      stage.ask("SET", "a", "1", as: "first")
      stage.ask("SET", "b", "1", as: "second")
      stage.wait("answer") { stage.answered("second") }
      try stage.hang(false)
      stage.wait("return") { stage.link.isUp }
      stage.ask("MGET", "a", "b", as: "third")
      stage.wait("answer") { stage.answered("third") }
    }
  }

  @Test(arguments: [SimulatedRedis.Condition.outOfMemory, .readOnly])
  func aServerThatRefusesWrites(condition: SimulatedRedis.Condition) throws {
    try compare { stage in
      try stage.become(condition)
      stage.ask("GET", "a", as: "first")
      stage.ask("SET", "a", "1", as: "second")
      stage.ask("GET", "a", as: "third")
      stage.wait("answer") { stage.answered("third") }
      stage.wait("line") { stage.lines.all.count == 2 }
      try stage.become(.well)
      stage.wait("return") { stage.link.isUp }
      stage.ask("SET", "a", "1", as: "fourth")
      stage.wait("answer") { stage.answered("fourth") }
    }
  }

  @Test func scriptsThatAreForgottenAndForbidden() throws {
    try compare { stage in
      stage.run(ClusterScripts.releaseMark, as: "first")
      stage.wait("answer") { stage.answered("first") }
      try stage.forgetScripts()
      stage.run(ClusterScripts.releaseMark, as: "second")
      stage.ask("PING", as: "third")
      stage.wait("answer") { stage.answered("second") }
      try stage.forbidScripts(true)
      stage.run(ClusterScripts.releaseMark, as: "fourth")
      stage.wait("answer") { stage.answered("fourth") }
      #expect(stage.link.scriptsForbidden && stage.link.isUp)
    }
  }
}
