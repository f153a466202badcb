import JobKit
import Redis
import Simulation

/// Commands and scripts over a handful of keys, with what is right for them, and now and then with what is not.
struct RandomCommands {
  private var dice: SeededGenerator
  /// The text under a key.
  private var holder: (String) -> String? = { _ in nil }

  init(seed: UInt64) { dice = SeededGenerator(seed: seed) }

  static let alive = "librenms.alive:node:poller"
  static let notes = "librenms.inflight:node"
  static let queues = (0..<3).map { "librenms.queue:poller:\($0)" }
  static let locks = (1...4).map { "librenms.lock:poller.device.\($0)" } + ["librenms.lock:poller.device."]
  static let others = ["librenms.lock:dispatch.master", "librenms.memory", "librenms.tick:poller:all"]
  static let all = [alive, notes] + queues + locks + others
  /// A lifetime after which the tests wait.
  static let short = "8"

  private let members = ["1", "2", "3", "4", "", "ä", "a\tb", "10"]
  private let owners = ["n1-uuid-Poller_0-1", "n2-uuid-Poller_0-1", "n1-uuid-Poller_1-2"]
  private let fields = ["poller:0", "poller:1", "poller:2"]
  private let scores = ["1", "2", "2", "2.5", "1750000000.1234567", "-3", "1e17", "0.1", "123456789012"]
  private let oddScores = ["abc", "", "inf", "-inf", "0x10", " 1", "5.", "1e400", "nan", "-0", "1e-7", "1 "]
  private let lifetimes = ["600000", "1000000", "7200000"]
  private let oddLifetimes = [short, "0", "-5", "abc", "9223372036854775807", "007", "", "1.5", "+5"]

  private mutating func one(of choices: [String]) -> String { choices[Int.random(in: 0..<choices.count, using: &dice)] }
  private mutating func isTrue(_ probability: Double) -> Bool { Double.random(in: 0..<1, using: &dice) < probability }
  private mutating func right(_ keys: [String]) -> String { isTrue(0.985) ? one(of: keys) : one(of: Self.all) }
  private mutating func queue() -> String { right(Self.queues) }
  private mutating func lock() -> String { right(Self.locks) }
  private mutating func notes() -> String { right([Self.notes]) }
  private mutating func score() -> String { isTrue(0.9) ? one(of: scores) : one(of: oddScores) }
  private mutating func lifetime() -> String { isTrue(0.9) ? one(of: lifetimes) : one(of: oddLifetimes) }
  private mutating func index() -> String { one(of: ["0", "0", "1", "-1", "-2", "15", "-100", "100", "x"]) }
  private mutating func master() -> String { right(["librenms.lock:dispatch.master"]) }

  /// Who holds a lock, or anybody.
  private mutating func owner(of key: String) -> String { isTrue(0.7) ? holder(key) ?? one(of: owners) : one(of: owners) }

  private mutating func note() -> String {
    if isTrue(0.1) { return one(of: ["", "x", "1\t2\t3", "a\t1\tlock\towner\tmember", "1\t\tlock\towner\tm", "1\t1\tl\t\t"]) }
    let lock = one(of: Self.locks)
    return "\(one(of: ["0", "1", "2", "-1"]))\t\(score())\t\(lock)\t\(one(of: owners))\t\(one(of: members))"
  }

  /// Words for both servers. `server` is looked at for what makes a step go on: the present mark, the owner of a lock.
  mutating func next(_ server: SimulatedRedis) -> [String] {
    holder = { server.text($0) }
    if isTrue(0.1), let foreign = Self.all.first(where: { !hasRightKind($0, server) }) { return ["DEL", foreign] }
    return isTrue(0.45) ? command() : script(mark: server.text(Self.alive))
  }

  private func hasRightKind(_ key: String, _ server: SimulatedRedis) -> Bool {
    let kind = server.command("TYPE", key).text
    return kind == "none" || kind == (Self.queues.contains(key) ? "zset" : key == Self.notes ? "hash" : "string")
  }

  // MARK: Plain commands

  private mutating func command() -> [String] {
    switch Int.random(in: 0..<24, using: &dice) {
    case 0: return ["GET", right(Self.locks + Self.others)]
    case 1: return ["SET", lock(), one(of: owners), "PX", lifetime(), "NX"]
    case 2:
      // Python nodes give seconds.
      let rest = isTrue(0.2) ? ["EX", one(of: ["600", "9223372036854775", "9223372036854775807", "0", "x"]), "NX"] : ["PX", lifetime()]
      return ["SET", right(Self.locks + Self.others), one(of: owners)] + rest
    case 3: return ["SET", isTrue(0.2) ? one(of: Self.all) : lock(), one(of: owners), "XX", "PX", lifetime()]
    case 4: return ["SET", right(Self.others), one(of: ["5", "17", "x", " 12 ", "0x20"])]
    case 5: return ["DEL", isTrue(0.7) ? lock() : one(of: Self.all)]
    case 6: return ["EXISTS", one(of: Self.all), one(of: Self.all)]
    case 7: return ["MGET", one(of: Self.all), one(of: Self.all)]
    case 8: return ["TYPE", one(of: Self.all)]
    case 9:
      let seconds = one(of: ["600", "9223372036854775", "9223372036854775807", "-9223372036854775807", "0", "-1", "x"])
      return isTrue(0.2) ? ["EXPIRE", one(of: Self.all), seconds] : ["PEXPIRE", one(of: Self.all), lifetime()]
    case 10: return ["PTTL", one(of: Self.all)]
    case 11: return ["ZADD", queue(), "NX", score(), one(of: members), score(), one(of: members)]
    case 12, 13: return ["ZADD", queue(), "NX", score(), one(of: members)]
    case 14: return ["ZADD", queue(), score(), one(of: members)]
    case 15: return ["ZREM", queue(), one(of: members)]
    case 16: return isTrue(0.5) ? ["ZCARD", queue()] : ["ZSCORE", queue(), one(of: members)]
    case 17: return ["ZPOPMIN", queue()]
    case 18: return ["ZRANGE", queue(), index(), index(), "WITHSCORES"]
    case 19: return ["HSET", notes(), one(of: fields), note()]
    case 20: return isTrue(0.5) ? ["HGET", notes(), one(of: fields)] : ["HDEL", notes(), one(of: fields)]
    case 21: return ["HGETALL", notes()]
    case 22: return isTrue(0.1) ? ["RPUSH", one(of: Self.all), "x"] : ["PING"]
    default: return ["SET", Self.alive, one(of: ["a1/5", "a1/7", "b2/5", "nonsense"]), "PX", one(of: lifetimes)]
    }
  }

  // MARK: Scripts

  private mutating func script(mark: String?) -> [String] {
    let (script, isMarked, keys, arguments) = step()
    let shown = isTrue(0.95) ? mark ?? "a1/5" : "c3/1"
    let allKeys = (isMarked ? [isTrue(0.98) ? Self.alive : one(of: Self.all)] : []) + keys
    let rest = [String(allKeys.count)] + allKeys + (isMarked ? [shown] : []) + arguments
    return isTrue(0.3) ? ["EVAL", script.source] + rest : ["EVALSHA", script.sha] + rest
  }

  private mutating func step() -> (RedisScript, isMarked: Bool, keys: [String], arguments: [String]) {
    let field = one(of: fields)
    let lock = self.lock()
    let owner = self.owner(of: lock)
    switch Int.random(in: 0..<18, using: &dice) {
    case 0:
      let connection = isTrue(0.95) ? one(of: ["4", "5", "6", "9"]) : "x"
      return (ClusterScripts.setMark, false, [right([Self.alive])], [one(of: ["a1", "b2"]), connection, lifetime()])
    case 1: return (ClusterScripts.keepMark, true, [right([Self.alive])], [lifetime()])
    case 2: return (ClusterScripts.releaseMark, false, [right([Self.alive])], [one(of: ["a1/5", "b2/5"])])
    case 3, 4, 5: return take(field)
    case 6, 7:
      let group = one(of: ["0", "1"])
      return (
        ClusterScripts.takeTick, true, [notes(), queue()],
        [field, "n1-uuid-Poller_", "-1", lifetime(), "librenms.lock:poller.device.", group, index(), "librenms.queue:poller:"]
      )
    case 8: return (ClusterScripts.waiting, false, (0..<Int.random(in: 0...3, using: &dice)).map { _ in queue() }, [])
    case 9: return (ClusterScripts.finish, true, [notes(), lock], [field, owner, isTrue(0.5) ? "0" : lifetime()])
    case 10: return (ClusterScripts.putBack, true, [notes(), lock, queue()], [field, owner, score(), one(of: members)])
    case 11, 12: return enqueue()
    case 13:
      let locks = (0..<Int.random(in: 0...3, using: &dice)).map { _ in self.lock() }
      return (ClusterScripts.renew, true, locks, [lifetime()] + locks.map { self.owner(of: $0) })
    case 14: return (ClusterScripts.releaseHold, true, [notes(), lock], [owner])
    case 15: return (ClusterScripts.own, true, [lock], [owner, lifetime()])
    case 16:
      let keys = [master(), right(["librenms.memory"]), right([Self.alive])]
      return (ClusterScripts.claim, true, keys, [self.owner(of: keys[0]), lifetime(), lifetime()])
    default:
      if isTrue(0.3) {
        let key = master()
        return (ClusterScripts.abdicate, true, [key], [self.owner(of: key)])
      }
      let score = isTrue(0.4) ? "" : score()
      return (
        ClusterScripts.lockAgain, true, [notes(), lock, queue()], [field, owner, one(of: owners), lifetime(), score, one(of: members)]
      )
    }
  }

  private mutating func take(_ field: String) -> (RedisScript, isMarked: Bool, keys: [String], arguments: [String]) {
    let groups = (0..<Int.random(in: 0...3, using: &dice)).map { _ in Int.random(in: 0...2, using: &dice) }
    let keys = [notes()] + groups.map { isTrue(0.97) ? Self.queues[$0] : one(of: Self.all) }
    let kind = isTrue(0.8) ? "payload" : "group"
    let prefix = "librenms.lock:poller.device."
    let arguments = [field, "n1-uuid-Poller_", "-1", lifetime(), prefix, kind, "librenms.queue:poller:"] + groups.map(String.init)
    return (ClusterScripts.take, true, keys, arguments)
  }

  private mutating func enqueue() -> (RedisScript, isMarked: Bool, keys: [String], arguments: [String]) {
    let hasTick = isTrue(0.4)
    let boundary = isTrue(0.9) ? one(of: ["5", "10", "20", "0"]) : one(of: ["x", ""])
    let master = self.master()
    var arguments = [owner(of: master), one(of: ["0", "1"]), boundary, lifetime(), one(of: ["", "5", "10", "x"]), one(of: ["0", "1"])]
    for _ in 0..<Int.random(in: 0...4, using: &dice) { arguments += [queue(), score(), one(of: members), lock()] }
    return (ClusterScripts.enqueue, true, [master] + (hasTick ? [right(["librenms.tick:poller:all"])] : []), arguments)
  }
}
