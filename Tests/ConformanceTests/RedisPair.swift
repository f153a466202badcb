import Core
import Redis
import RedisFixture
import Testing

@testable import Simulation

/// A real server and a simulated one that are told the same, one command after the other.
final class RedisPair {
  typealias Answer = Result<RedisReply, RedisError>

  let simulated: SimulatedRedis
  let server: RedisServer
  /// Of the real server; texts of errors are compared with 7.0's only.
  let version: String
  private let loop: EventLoop
  private let simulatedLoop: EventLoop
  private let connection: RedisConnection
  private let begun = MonotonicTime.now
  private let simulatedBegin: MonotonicTime
  /// How much time the last command took, in which the real clock ran on.
  private var slack = Duration.zero

  init(server: RedisServer? = nil, user: RedisCredentials = RedisCredentials()) throws {
    let server = try server ?? RedisServer()
    self.server = server
    loop = try EventLoop()
    simulatedLoop = EventLoop(poller: SimulatedPoller(), generator: SeededGenerator(seed: 1))
    simulated = SimulatedRedis(loop: simulatedLoop)
    simulatedBegin = simulatedLoop.now
    var configuration = RedisConnection.Configuration(address: .tcp(host: "127.0.0.1", port: server.port))
    configuration.credentials = user
    connection = RedisConnection(loop: loop, configuration: configuration)
    var ready = false
    connection.onReady = { ready = true }
    connection.open()
    let limit = MonotonicTime.now + .seconds(5)
    while !ready, MonotonicTime.now < limit { try loop.turn(limit: .milliseconds(10)) }
    var info = ""
    connection.send(["INFO", "server"]) { if case .success(let reply) = $0 { info = reply.text ?? "" } }
    while info.isEmpty, MonotonicTime.now < limit { try loop.turn(limit: .milliseconds(10)) }
    let line = info.split(whereSeparator: \.isNewline).first { $0.hasPrefix("redis_version:") } ?? ""
    version = String(line.drop { $0 != ":" }.dropFirst())
    let numbers = version.split(separator: ".").prefix(2).compactMap { Int($0) }
    if numbers.count == 2, (numbers[0], numbers[1]) >= (7, 2) { simulated.scoreFormat = .shortest }
  }

  deinit { connection.close() }

  var isTextCompared: Bool { version.hasPrefix("7.0.") }

  // MARK: Commands

  func askReal(_ words: [String]) throws -> Answer {
    var answer: Answer?
    connection.send(words.map { RedisArgument($0) }) { answer = $0 }
    let limit = MonotonicTime.now + .seconds(5)
    while answer == nil, MonotonicTime.now < limit { try loop.turn(limit: .milliseconds(100)) }
    return try #require(answer, "no answer to \(words)")
  }

  func askSimulated(_ words: [String]) -> Answer {
    let reply = simulated.command(words)
    if case .error(let error) = reply { return .failure(error) } else { return .success(reply) }
  }

  /// nil = both answer alike.
  func difference(_ words: [String]) throws -> String? {
    let before = MonotonicTime.now
    try catchUp()
    let simulated = askSimulated(words)
    let real = try askReal(words)
    slack = MonotonicTime.now - before + .milliseconds(20)
    if isAlike(words[0], real, simulated) { return nil }
    return "\(words.map { $0.count > 300 ? "…" : $0 })\n  real      \(real)\n  simulated \(simulated)"
  }

  private func isAlike(_ command: String, _ real: Answer, _ simulated: Answer) -> Bool {
    switch (real, simulated) {
    case (.failure(let a), .failure(let b)): return isTextCompared ? a == b : a.kind == b.kind
    case (.success(let a), .success(let b)):
      switch command {
      case "PTTL": return isNear(a.integer ?? 0, b.integer ?? 0)
      // The order of a hash is any.
      case "HGETALL": return pairs(a) == pairs(b)
      default: return a == b
      }
    default: return false
    }
  }

  private func isNear(_ a: Int64, _ b: Int64) -> Bool { a == b || a > 0 && b > 0 && abs(a - b) <= slack.inMilliseconds }

  private func pairs(_ reply: RedisReply) -> [String: String] {
    let texts = (reply.elements ?? []).compactMap(\.text)
    return Dictionary(uniqueKeysWithValues: stride(from: 0, to: texts.count - 1, by: 2).map { (texts[$0], texts[$0 + 1]) })
  }

  /// Lets so much time pass on both clocks.
  func pass(_ time: Duration) throws {
    let end = MonotonicTime.now + time
    while MonotonicTime.now < end { try loop.turn(limit: end - .now) }
    try catchUp()
  }

  /// The simulated clock follows the real one.
  private func catchUp() throws {
    let behind = (MonotonicTime.now - begun) - (simulatedLoop.now - simulatedBegin)
    if behind > .zero { try simulatedLoop.turn(limit: behind) }
  }

  // MARK: The whole state

  private func allKeys(_ ask: ([String]) throws -> Answer) throws -> [String] {
    var keys: Set<String> = []
    var cursor = "0"
    repeat {
      let reply = try ask(["SCAN", cursor, "MATCH", "librenms.*", "COUNT", "3"]).get()
      cursor = reply.elements?.first?.text ?? "0"
      keys.formUnion((reply.elements?.last?.elements ?? []).compactMap(\.text))
    } while cursor != "0"
    return keys.sorted()
  }

  /// What differs between all that both hold.
  func stateDifference() throws -> String? {
    try catchUp()
    let (real, mine) = (try allKeys(askReal), try allKeys(askSimulated))
    guard real == mine else { return "keys\n  real      \(real)\n  simulated \(mine)" }
    for key in real {
      let kind = try askReal(["TYPE", key]).get().text
      let look =
        switch kind {
        case "zset": ["ZRANGE", key, "0", "-1", "WITHSCORES"]
        case "hash": ["HGETALL", key]
        default: ["GET", key]
        }
      for words in [["TYPE", key], look, ["PTTL", key]] {
        if let difference = try difference(words) { return difference }
      }
    }
    return nil
  }
}
