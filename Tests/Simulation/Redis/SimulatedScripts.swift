import JobKit
import Redis

/// The scripts of `ClusterScripts` in Swift, each beside its Lua's steps in the same order.
enum SimulatedScripts {
  typealias Run = SimulatedRedisScript

  static let all: [(script: RedisScript, body: SimulatedRedisScript.Body)] = [
    (ClusterScripts.setMark, setMark), (ClusterScripts.keepMark, keepMark), (ClusterScripts.releaseMark, releaseMark),
    (ClusterScripts.take, take), (ClusterScripts.takeTick, takeTick), (ClusterScripts.waiting, waiting),
    (ClusterScripts.finish, finish), (ClusterScripts.putBack, putBack), (ClusterScripts.enqueue, enqueue),
    (ClusterScripts.renew, renew), (ClusterScripts.releaseHold, releaseHold), (ClusterScripts.own, own),
    (ClusterScripts.claim, claim), (ClusterScripts.lockAgain, lockAgain), (ClusterScripts.abdicate, abdicate),
  ]

  // MARK: The mark

  private static func setMark(_ run: Run) throws(SimulatedRefusal) -> RedisReply {
    if let mark = try? run.keyspace.text(run.key(1)) {
      guard let (table, connection) = parts(ofMark: mark), table == run.argument(1) else { return .text(mark) }
      guard let asked = Run.number(run.argument(2)) else { throw run.comparison(at: "tonumber(connection) > tonumber(ARGV[2])") }
      if connection > asked { throw SimulatedRefusal(line: "STALE this connection was given up") }
    }
    try run.set("redis.call('SET'", run.key(1), run.argument(1) + "/" + run.argument(2), run.argument(3))
    return .text("")
  }

  /// `^(%x+)/(%d+)$`
  private static func parts(ofMark mark: String) -> (table: Substring, connection: Double)? {
    let parts = mark.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty,
      parts[0].utf8.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 || UInt8(ascii: "a")...UInt8(ascii: "f") ~= $0 | 0x20 }),
      parts[1].utf8.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 })
    else { return nil }
    return (parts[0], Run.number(String(parts[1])) ?? 0)
  }

  private static func keepMark(_ run: Run) throws(SimulatedRefusal) -> RedisReply {
    try run.requireMark()
    return try expire(run, 1, run.argument(1))
  }

  private static func expire(_ run: Run, _ number: Int, _ lifetime: String) throws(SimulatedRefusal) -> RedisReply {
    let key = run.key(number)
    let found = try run.call("redis.call('PEXPIRE', KEYS[\(number)]", .writes) { keyspace throws(SimulatedRefusal) in
      try keyspace.expire(key, in: lifetime)
    }
    return .integer(found ? 1 : 0)
  }

  private static func releaseMark(_ run: Run) throws(SimulatedRefusal) -> RedisReply {
    guard try run.get(1) == run.argument(1) else { return .integer(0) }
    return try run.delete(1)
  }

  // MARK: The lead

  private static func own(_ run: Run) throws(SimulatedRefusal) -> RedisReply {
    try run.requireMark()
    if let owner = try run.get(1), owner != run.argument(1) { return .text(owner) }
    try run.set("redis.call('SET'", run.key(1), run.argument(1), run.argument(2))
    return .integer(1)
  }

  private static func claim(_ run: Run) throws(SimulatedRefusal) -> RedisReply {
    try run.requireMark()
    _ = try expire(run, 3, run.argument(3))
    var memory = ""
    do throws(SimulatedRefusal) {
      memory = try run.keyspace.text(run.key(2)) ?? ""
    } catch {
      _ = try run.delete(2)
    }
    if let owner = try run.get(1), owner != run.argument(1) { return .array([.text(owner), .text(memory)]) }
    try run.set("redis.call('SET'", run.key(1), run.argument(1), run.argument(2))
    return .array([.text(""), .text(memory)])
  }

  private static func abdicate(_ run: Run) throws(SimulatedRefusal) -> RedisReply {
    try run.requireMark()
    guard try run.get(1) == run.argument(1) else { return .integer(0) }
    return try run.delete(1)
  }

  // MARK: Locks of jobs

  private static func finish(_ run: Run) throws(SimulatedRefusal) -> RedisReply {
    try run.requireMark()
    try run.deleteField()
    let hold = run.argument(3)
    guard try run.get(2) == run.argument(2) else {
      if hold != "0" { try run.set("redis.call('SET'", run.key(2), run.argument(2), hold, onlyNew: true) }
      return .integer(0)
    }
    return hold == "0" ? try run.delete(2) : try expire(run, 2, hold)
  }

  private static func putBack(_ run: Run) throws(SimulatedRefusal) -> RedisReply {
    try run.requireMark()
    try run.deleteField()
    if try run.get(2) == run.argument(2) { _ = try run.delete(2) }
    return .integer(try run.add("redis.call('ZADD'", run.key(3), run.argument(3), run.argument(4)))
  }

  private static func renew(_ run: Run) throws(SimulatedRefusal) -> RedisReply {
    try run.requireMark()
    var result: [RedisReply] = []
    for number in 1..<run.keyCount + 1 {
      let (key, mine) = (run.key(number), run.argument(number + 1))
      do throws(SimulatedRefusal) {
        if let owner = try run.keyspace.text(key), owner != mine {
          result.append(.text(owner))
          continue
        }
      } catch {
        result.append(.text("a key of another type"))
        continue
      }
      try run.set("redis.call('SET'", key, mine, run.argument(1))
      result.append(.integer(1))
    }
    return .array(result)
  }

  private static func releaseHold(_ run: Run) throws(SimulatedRefusal) -> RedisReply {
    try run.requireMark()
    guard try run.get(2) == run.argument(1) else { return .integer(0) }
    let notes = run.key(1)
    let fields = try run.call("redis.call('HVALS'") { keyspace throws(SimulatedRefusal) in try keyspace.hash(notes) }
    let lock = "\t" + run.key(2) + "\t"
    if let fields, fields.values.contains(where: { $0.contains(lock) }) { return .integer(0) }
    return try run.delete(2)
  }

  private static func lockAgain(_ run: Run) throws(SimulatedRefusal) -> RedisReply {
    try run.requireMark()
    try run.deleteField()
    let owner = try run.get(2)
    if owner == nil || owner == run.argument(2) { try run.set("redis.call('SET'", run.key(2), run.argument(3), run.argument(4)) }
    if run.argument(5) != "" { _ = try run.add("redis.call('ZADD'", run.key(3), run.argument(5), run.argument(6)) }
    return .integer(1)
  }
}
