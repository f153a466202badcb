import Core
import Redis

/// What a look at a Redis has shown that answers.
struct RedisFacts: Equatable, Sendable {
  /// "7.0.15 at 127.0.0.1:6379", as far as it may be known.
  var server = ""
  /// `maxmemory` in bytes, 0 = without limit, and `maxmemory-policy`; nil where INFO is refused.
  var limit: Int64?
  var eviction: String?
  /// Why scripts are refused; nil = they run.
  var scriptsRefused: String?
  /// Commands of the contract that are refused, each with the server's words.
  var refused: [String] = []

  /// From the answer of INFO memory.
  mutating func read(info: String) {
    for line in info.split(whereSeparator: \.isNewline) {
      if line.hasPrefix("maxmemory:") { limit = Int64(line.dropFirst("maxmemory:".count)) }
      if line.hasPrefix("maxmemory_policy:") { eviction = String(line.dropFirst("maxmemory_policy:".count)) }
    }
  }

  /// What is wrong with an eviction policy that may drop locks: all of them have a lifetime, so the volatile ones may, too.
  var evictionWarning: String? {
    guard let limit, limit > 0, let eviction, eviction != "noeviction" else { return nil }
    return
      "when Redis is full it may drop locks (maxmemory \(limit), maxmemory-policy \(eviction)), and a device is then polled twice at once"
  }

  static let evictionWayOut = "set maxmemory-policy noeviction, or give the dispatcher a Redis of its own"
}

/// Questions that change nothing and need the rights that the work needs. None of these keys exists.
enum RedisTrial {
  private static let queue: RedisArgument = "librenms.queue:validate:0"
  private static let lock: RedisArgument = "librenms.lock:validate"

  private static let commands: [[RedisArgument]] = [
    ["ZADD", queue, "XX", 0, "validate"], ["ZPOPMIN", queue], ["ZRANGE", queue, 0, 0], ["ZREM", queue, "validate"], ["ZCARD", queue],
    ["SET", lock, "validate", "XX", "PX", 1000], ["GET", lock], ["EXISTS", lock], ["PEXPIRE", lock, 1000], ["DEL", lock],
  ]

  /// Asks on a link that is up; answers once, when all answers are here or the connection is gone.
  static func run(_ link: RedisLink, _ answer: @escaping (RedisFacts) -> Void) {
    var facts = RedisFacts()
    link.send(["INFO", "memory"]) { if case .success(let reply) = $0 { facts.read(info: reply.text ?? "") } }
    for words in commands {
      link.send(words) { result in
        guard case .failure(let error) = result, !error.isOutage else { return }
        facts.refused.append("\(words[0].text): \(error.text)")
      }
    }
    link.send(["EVAL", "return redis.call('GET', KEYS[1])", 1, lock]) { result in
      if case .failure(let error) = result, !error.isOutage { facts.scriptsRefused = error.text }
      facts.server = [link.serverVersion, link.address.map { "at \($0)" }].compactMap { $0 }.joined(separator: " ")
      answer(facts)
    }
  }
}
