import Redis

/// The scripts that fill queues and take from them.
extension SimulatedScripts {
  private typealias Lowest = (member: String, place: Int, score: Double, waiting: Int64)

  /// What the Lua calls `bringBack`: the lock that was noted, or an empty text.
  private static func bringBack(_ run: Run, queues: String) throws(SimulatedRefusal) -> String {
    let (notes, field) = (run.key(1), run.argument(1))
    let note = try run.call("redis.call('HGET', notes, field)") { keyspace throws(SimulatedRefusal) in try keyspace.field(notes, field) }
    guard let note, let parts = parts(ofNote: note) else { return "" }
    _ = try run.call("redis.call('HDEL', notes, field)", .writes) { keyspace throws(SimulatedRefusal) in
      try keyspace.deleteField(notes, field)
    }
    let (lock, owner) = (String(parts[2]), parts[3])
    if let holder = try? run.keyspace.text(lock), holder == owner {
      _ = try run.call("redis.call('DEL', lock)", .writes) { keyspace in keyspace.delete(lock) }
    }
    _ = try? run.pcall(.grows) { keyspace throws(SimulatedRefusal) in
      guard let score = SimulatedNumbers.score(String(parts[1])) else { throw .notAFloat }
      try keyspace.setMember(queues + parts[0], String(parts[4]), score, onlyNew: true)
    }
    return lock
  }

  /// `^(%-?%d+)\t([^\t]+)\t([^\t]+)\t([^\t]*)\t(.*)$`
  private static func parts(ofNote note: String) -> [Substring]? {
    let parts = note.split(separator: "\t", maxSplits: 4, omittingEmptySubsequences: false)
    guard parts.count == 5, !parts[1].isEmpty, !parts[2].isEmpty else { return nil }
    let digits = parts[0].hasPrefix("-") ? parts[0].dropFirst() : parts[0]
    return !digits.isEmpty && digits.utf8.allSatisfy { UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 } ? parts : nil
  }

  /// Of the queues from KEYS[first] on.
  private static func lowest(_ run: Run, from first: Int) throws(SimulatedRefusal) -> Lowest? {
    var best: Lowest?
    var waiting: Int64 = 0
    for number in first..<run.keyCount + 1 {
      let queue = run.key(number)
      let set = try run.call("redis.call('ZRANGE', ") { keyspace throws(SimulatedRefusal) in try keyspace.sortedSet(queue) }
      guard let set, let head = set.lowest else { continue }
      waiting += Int64(set.count)
      if best.map({ head.score < $0.score }) ?? true { best = (head.member, number, head.score, 0) }
    }
    best?.waiting = waiting
    return best
  }

  static func take(_ run: Run) throws(SimulatedRefusal) -> RedisReply {
    try run.requireMark()
    let found = try bringBack(run, queues: run.argument(7))
    for _ in 1...16 {
      guard let head = try lowest(run, from: 2) else { return .array([.integer(0), .integer(0), .text(""), .text(found)]) }
      let group = run.argument(6 + head.place)
      try remove(run, run.key(head.place), head.member, "redis.call('ZREM', KEYS[at], member)")
      let lock = run.argument(5) + (run.argument(6) == "group" ? group : head.member)
      let owner = run.argument(2) + group + run.argument(3)
      guard try run.set("redis.call('SET', lock", lock, owner, run.argument(4), onlyNew: true) else { continue }
      let score = run.text(head.score)
      try note(run, group + "\t" + score + "\t" + lock + "\t" + owner + "\t" + head.member)
      let oldest = try lowest(run, from: 2).map { run.text($0.score) } ?? ""
      return .array([
        .integer(1), .text(head.member), .text(score), .text(group), .integer(head.waiting - 1), .text(oldest), .text(found),
      ])
    }
    let head = try lowest(run, from: 2)
    return .array([.integer(0), .integer(head?.waiting ?? 0), .text(head.map { run.text($0.score) } ?? ""), .text(found)])
  }

  private static func remove(_ run: Run, _ queue: String, _ member: String, _ place: String) throws(SimulatedRefusal) {
    _ = try run.call(place, .writes) { keyspace throws(SimulatedRefusal) in try keyspace.deleteMember(queue, member) }
  }

  private static func note(_ run: Run, _ text: String) throws(SimulatedRefusal) {
    let (notes, field) = (run.key(1), run.argument(1))
    _ = try run.call("redis.call('HSET', KEYS[1], ARGV[1]", .grows) { keyspace throws(SimulatedRefusal) in
      try keyspace.setField(notes, field, text)
    }
  }

  static func takeTick(_ run: Run) throws(SimulatedRefusal) -> RedisReply {
    try run.requireMark()
    let found = try bringBack(run, queues: run.argument(8))
    let (queue, last, group) = (run.key(2), run.argument(7), run.argument(6))
    let members = try run.call("redis.call('ZRANGE', KEYS[2], 0, ARGV[7]") { keyspace throws(SimulatedRefusal) in
      guard let last = SimulatedNumbers.integer(last) else { throw .notAnInteger }
      return Array(try keyspace.range(queue, 0, last))
    }
    let owner = run.argument(2) + group + run.argument(3)
    for head in members {
      let lock = run.argument(5) + head.member
      guard try run.set("redis.call('SET', lock", lock, owner, run.argument(4), onlyNew: true) else { continue }
      try remove(run, queue, head.member, "redis.call('ZREM', KEYS[2], member)")
      let score = run.text(head.score)
      try note(run, group + "\t" + score + "\t" + lock + "\t" + owner + "\t" + head.member)
      let left = try run.call("redis.call('ZRANGE', KEYS[2], 0, 0") { keyspace throws(SimulatedRefusal) in try keyspace.sortedSet(queue) }
      return .array([
        .integer(1), .text(head.member), .text(score), .text(group), .integer(Int64(left?.count ?? 0)),
        .text(left?.lowest.map { run.text($0.score) } ?? ""), .text(found),
      ])
    }
    let count = try run.call("return {0, redis.call('ZCARD'") { keyspace throws(SimulatedRefusal) in try keyspace.sortedSet(queue)?.count }
    return .array([.integer(0), .integer(Int64(count ?? 0)), .text(members.first.map { run.text($0.score) } ?? ""), .text(found)])
  }

  static func waiting(_ run: Run) throws(SimulatedRefusal) -> RedisReply {
    let head = try lowest(run, from: 1)
    return .array([.integer(head?.waiting ?? 0), .text(head.map { run.text($0.score) } ?? "")])
  }

  static func enqueue(_ run: Run) throws(SimulatedRefusal) -> RedisReply {
    try run.requireMark()
    guard try run.get(1) == run.argument(1) else { return .integer(-1) }
    let hasTick = run.keyCount > 1
    if hasTick, let last = try? run.keyspace.text(run.key(2)), let boundary = SimulatedRedisScript.number(last) {
      guard let asked = SimulatedRedisScript.number(run.argument(3)) else { throw run.comparison(at: "boundary >= tonumber(ARGV[3])") }
      if boundary >= asked, last != run.argument(5) { return .integer(-2) }
    }
    var added: Int64 = 0
    for index in stride(from: 7, to: run.argumentCount + 1, by: 4) {
      let lock = run.argument(index + 3)
      guard run.argument(2) == "0" || !run.keyspace.exists(lock) else { continue }
      added += try run.add("redis.call('ZADD'", run.argument(index), run.argument(index + 1), run.argument(index + 2))
    }
    if hasTick, run.argument(6) == "1" { try run.set("redis.call('SET'", run.key(2), run.argument(3), run.argument(4)) }
    return .integer(added)
  }
}
