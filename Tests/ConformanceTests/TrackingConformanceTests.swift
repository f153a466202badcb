import Core
import Logging
import Redis
import RedisFixture
import Testing

@testable import Simulation

/// The product's link hears of changes of tracked keys from the simulated server as it does from a real one.
@Suite(.serialized) struct TrackingConformanceTests {
  /// A link, and what it was told, without the order in which keys of one step came.
  private final class Listener {
    let link: RedisLink
    private(set) var told: [String] = []

    init(_ link: RedisLink) {
      self.link = link
      link.onInvalidation = { [weak self] keys in self?.told.append(keys.map { $0.sorted().joined(separator: " ") } ?? "everything") }
      link.start()
    }

    func takeTold() -> [String] {
      defer { told = [] }
      return told.sorted()
    }
  }

  private let keys = RandomCommands.queues + [RandomCommands.locks[0]]

  private func step(_ dice: inout SeededGenerator) -> [String] {
    let key = keys[Int.random(in: 0..<keys.count, using: &dice)]
    let member = ["1", "2"][Int.random(in: 0..<2, using: &dice)]
    switch Int.random(in: 0..<14, using: &dice) {
    case 0, 1, 2, 3, 4, 5: return ["track", key]
    case 6, 7: return ["ZADD", key, "NX", "5", member]
    case 8: return ["ZADD", key, "7", member]
    case 9: return ["ZREM", key, member]
    case 10: return ["ZPOPMIN", key]
    case 11: return ["DEL", key]
    case 12: return ["PEXPIRE", key, "600000"]
    default: return Int.random(in: 0..<6, using: &dice) == 0 ? ["FLUSHALL"] : ["GET", key]
    }
  }

  @Test(arguments: [UInt64(1), 2]) func whoIsToldOfChangesIsToldAlike(seed: UInt64) throws {
    let log = Logger(label: "tracking") { _ in SwiftLogNoOpLogHandler() }
    let server = try RedisServer()
    let realLoop = try EventLoop()
    let real = Listener(RedisLink(loop: realLoop, settings: server.settings, name: "real", availability: RedisAvailability(log: log)))
    let loop = EventLoop(poller: SimulatedPoller(), generator: SeededGenerator(seed: seed))
    let simulated = Listener(SimulatedRedisPath(to: SimulatedRedis(loop: loop)).makeLink(log: log))
    defer {
      real.link.stop()
      simulated.link.stop()
    }

    let limit = MonotonicTime.now + .seconds(5)
    while !real.link.isTracking, MonotonicTime.now < limit { try realLoop.turn(limit: .milliseconds(5)) }
    while !simulated.link.isTracking, loop.now < MonotonicTime(nanoseconds: 60_000_000_000) { try loop.turn(limit: .milliseconds(5)) }
    try #require(real.link.isTracking && simulated.link.isTracking)
    #expect(real.takeTold() == ["everything"])
    #expect(simulated.takeTold() == ["everything"])

    var dice = SeededGenerator(seed: seed)
    for number in 1...200 {
      let words = step(&dice)
      var (expected, found): (Result<RedisReply, RedisError>?, Result<RedisReply, RedisError>?)
      ask(real.link, words) { expected = $0 }
      ask(simulated.link, words) { found = $0 }
      while expected == nil { try realLoop.turn(limit: .milliseconds(100)) }
      // A message comes over another connection than the answer: a moment more.
      let end = MonotonicTime.now + .milliseconds(3)
      while MonotonicTime.now < end { try realLoop.turn(limit: end - .now) }
      while found == nil { try loop.turn(limit: .milliseconds(5)) }
      let settled = loop.now + .milliseconds(3)
      while loop.now < settled { try loop.turn(limit: settled - loop.now) }
      let (a, b) = (real.takeTold(), simulated.takeTold())
      guard expected == found, a == b else {
        Issue.record("seed \(seed), step \(number), \(words): real \(expected!) \(a), simulated \(found!) \(b)")
        return
      }
    }
  }

  private func ask(_ link: RedisLink, _ words: [String], _ answer: @escaping (Result<RedisReply, RedisError>) -> Void) {
    if words[0] == "track" { return link.track([words[1]]) { answer($0.map { .integer($0) }) } }
    link.send(words.map { RedisArgument($0) }, answer: answer)
  }
}
