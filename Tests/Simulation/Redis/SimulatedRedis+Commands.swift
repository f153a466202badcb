import Redis

/// The commands that the product sends, and a few that a world or another program needs. Texts of errors are those of Redis 7.0.
extension SimulatedRedis {
  /// What a command may do; decides which conditions of the server refuse it.
  enum Effect {
    case none
    case writes
    /// A write that may need memory.
    case grows
  }

  static func effect(of command: String) -> Effect {
    switch command {
    case "SET", "ZADD", "HSET", "RPUSH": .grows
    case "DEL", "PEXPIRE", "EXPIRE", "ZREM", "ZPOPMIN", "HDEL", "FLUSHALL": .writes
    default: .none
    }
  }

  func carryOut(_ words: [String], _ session: Session) -> RedisReply {
    let tracks = session.tracksNext
    do throws(SimulatedRefusal) {
      if condition != .well { try refuse(words[0]) }
      let answer = try carryOut(words, session, tracks)
      if tracks { session.tracksNext = false }
      return answer
    } catch {
      if tracks { session.tracksNext = false }
      return .error(RedisError(server: error.line))
    }
  }

  private func refuse(_ command: String) throws(SimulatedRefusal) {
    if condition == .loading { throw SimulatedRefusal(line: "LOADING Redis is loading the dataset in memory") }
    try refuse(Self.effect(of: command), isFirstInScript: true)
  }

  /// `isFirstInScript`: where a script has written already, lack of memory does not stop it.
  func refuse(_ effect: Effect, isFirstInScript: Bool) throws(SimulatedRefusal) {
    guard effect != .none else { return }
    switch condition {
    case .readOnly: throw SimulatedRefusal(line: "READONLY You can't write against a read only replica.")
    case .cannotSave: throw SimulatedRefusal(line: Self.cannotSave)
    case .outOfMemory where effect == .grows && isFirstInScript:
      throw SimulatedRefusal(line: "OOM command not allowed when used memory > 'maxmemory'.")
    case .well, .loading, .outOfMemory: break
    }
  }

  private static let cannotSave =
    "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that may modify the data set "
    + "are disabled, because this instance is configured to report errors during writes if RDB snapshotting fails "
    + "(stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB error."

  private func carryOut(_ words: [String], _ session: Session, _ tracks: Bool) throws(SimulatedRefusal) -> RedisReply {
    switch words[0] {
    case "EVALSHA", "EVAL": try evaluate(words)
    case "GET": try keyspace.text(words[1]).map { .text($0) } ?? .null
    case "SET": try set(words)
    case "DEL": .integer(Int64(words.dropFirst().count { keyspace.delete($0) }))
    case "EXISTS": exists(words.dropFirst(), tracks ? session : nil)
    case "MGET": .array(words.dropFirst().map { key in (try? keyspace.text(key)).map { .text($0) } ?? .null })
    case "TYPE": .text(keyspace.kind(words[1]) ?? "none")
    case "PEXPIRE", "EXPIRE": try expire(words)
    case "PTTL": .integer(keyspace.timeLeft(words[1]))
    case "ZADD", "ZREM", "ZCARD", "ZSCORE", "ZPOPMIN", "ZRANGE": try sortedSetCommand(words)
    case "HGET", "HSET", "HDEL", "HGETALL", "RPUSH": try hashCommand(words)
    case "SCAN": try scan(words)
    case "PING": .text("PONG")
    case "INFO": .text("# Server\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\n")
    case "CLIENT": try client(words, session)
    case "FLUSHALL": flushAll()
    default: preconditionFailure("the simulated Redis does not know \(words[0])")
    }
  }

  private func flushAll() -> RedisReply {
    keyspace.flush()
    tellOfFlush()
    return .text("OK")
  }

  // MARK: Texts and all keys

  /// SET key value [PX milliseconds|EX seconds] [NX|XX]
  private func set(_ words: [String]) throws(SimulatedRefusal) -> RedisReply {
    var lifetime: (text: String, unit: Int64)?
    var (onlyNew, onlyOld) = (false, false)
    var index = 3
    while index < words.count {
      switch words[index] {
      case "NX" where !onlyOld: onlyNew = true
      case "XX" where !onlyNew: onlyOld = true
      case "PX", "EX":
        guard lifetime == nil, index + 1 < words.count else { throw .syntax }
        lifetime = (words[index + 1], words[index] == "EX" ? 1000 : 1)
        index += 1
      default: throw .syntax
      }
      index += 1
    }
    return try keyspace.set(words[1], words[2], lifetime: lifetime?.text, unit: lifetime?.unit ?? 1, onlyNew: onlyNew, onlyOld: onlyOld)
      ? .text("OK") : .null
  }

  private func exists(_ keys: ArraySlice<String>, _ tracker: Session?) -> RedisReply {
    var found: Int64 = 0
    for key in keys {
      if keyspace.exists(key) { found += 1 }
      if let tracker, tracker.listener != nil { track(key, for: tracker) }
    }
    return .integer(found)
  }

  private func expire(_ words: [String]) throws(SimulatedRefusal) -> RedisReply {
    let isSeconds = words[0] == "EXPIRE"
    return .integer(try keyspace.expire(words[1], in: words[2], unit: isSeconds ? 1000 : 1, command: words[0].lowercased()) ? 1 : 0)
  }

  /// SCAN cursor [MATCH pattern] [COUNT count]. The cursor is a place among the keys' hashes, so a key that is there all the time is found.
  private func scan(_ words: [String]) throws(SimulatedRefusal) -> RedisReply {
    guard let cursor = UInt64(words[1]) else { throw SimulatedRefusal(line: "ERR invalid cursor") }
    var (pattern, count) = ("*", 10)
    for index in stride(from: 2, to: words.count - 1, by: 2) {
      switch words[index] {
      case "MATCH": pattern = words[index + 1]
      case "COUNT":
        guard let number = SimulatedNumbers.integer(words[index + 1]) else { throw .notAnInteger }
        guard number >= 1 else { throw .syntax }
        count = Int(clamping: number)
      default: throw .syntax
      }
    }
    var places: [(place: UInt64, key: String)] = []
    for key in keyspace.keys {
      let place = Self.place(key)
      if place >= cursor { places.append((place, key)) }
    }
    places.sort { ($0.place, $0.key) < ($1.place, $1.key) }
    var page = places.prefix(count)
    while let last = page.last, page.endIndex < places.count, places[page.endIndex].place == last.place {
      page = places[...page.endIndex]
    }
    let next = page.endIndex < places.count ? places[page.endIndex].place : 0
    let keys = page.map(\.key).filter { Self.matches($0, pattern) }
    return .array([.text(String(next)), .array(keys.map { .text($0) })])
  }

  /// FNV-1a, never 0.
  private static func place(_ key: String) -> UInt64 {
    max(1, key.utf8.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 })
  }

  /// Only a star at the end is special: the product asks for nothing else.
  private static func matches(_ key: String, _ pattern: String) -> Bool {
    precondition(!pattern.dropLast().contains { "*?[\\".contains($0) }, "the pattern \(pattern) is not simulated")
    return pattern.hasSuffix("*") ? key.hasPrefix(pattern.dropLast()) : key == pattern
  }

  // MARK: Sorted sets

  func scoreText(_ score: Double) -> String { SimulatedNumbers.text(score, scoreFormat) }

  private func sortedSetCommand(_ words: [String]) throws(SimulatedRefusal) -> RedisReply {
    let key = words[1]
    switch words[0] {
    case "ZADD": return try addMembers(words)
    case "ZREM":
      var removed: Int64 = 0
      for member in words[2...] where try keyspace.deleteMember(key, member) { removed += 1 }
      return .integer(removed)
    case "ZCARD": return .integer(Int64(try keyspace.sortedSet(key)?.count ?? 0))
    case "ZSCORE": return try keyspace.sortedSet(key)?.score(of: words[2]).map { .text(scoreText($0)) } ?? .null
    case "ZPOPMIN":
      guard let lowest = try keyspace.sortedSet(key)?.lowest else { return .array([]) }
      try keyspace.deleteMember(key, lowest.member)
      return .array([.text(lowest.member), .text(scoreText(lowest.score))])
    default:
      guard let first = SimulatedNumbers.integer(words[2]), let last = SimulatedNumbers.integer(words[3]) else { throw .notAnInteger }
      guard words.count == 4 || words.count == 5 && words[4] == "WITHSCORES" else { throw .syntax }
      let elements = try keyspace.range(key, first, last)
      guard words.count == 5 else { return .array(elements.map { .text($0.member) }) }
      return .array(elements.flatMap { [.text($0.member), .text(scoreText($0.score))] })
    }
  }

  /// ZADD key [NX] score member [score member …]
  private func addMembers(_ words: [String]) throws(SimulatedRefusal) -> RedisReply {
    let onlyNew = words[2] == "NX"
    let rest = words[(onlyNew ? 3 : 2)...]
    guard !rest.isEmpty, rest.count % 2 == 0 else { throw .syntax }
    var pairs: [(score: Double, member: String)] = []
    for index in stride(from: rest.startIndex, to: rest.endIndex, by: 2) {
      guard let score = SimulatedNumbers.score(rest[index]) else { throw .notAFloat }
      pairs.append((score, rest[index + 1]))
    }
    var added: Int64 = 0
    for pair in pairs where try keyspace.setMember(words[1], pair.member, pair.score, onlyNew: onlyNew) { added += 1 }
    return .integer(added)
  }

  // MARK: Hashes and lists

  private func hashCommand(_ words: [String]) throws(SimulatedRefusal) -> RedisReply {
    let key = words[1]
    switch words[0] {
    case "HGET": return try keyspace.field(key, words[2]).map { .text($0) } ?? .null
    case "HSET": return .integer(try keyspace.setField(key, words[2], words[3]) ? 1 : 0)
    case "HDEL":
      var removed: Int64 = 0
      for field in words[2...] where try keyspace.deleteField(key, field) { removed += 1 }
      return .integer(removed)
    case "RPUSH": return .integer(Int64(try keyspace.push(key, words[2])))
    default:
      // A server's own order is any.
      let fields = (try keyspace.hash(key) ?? [:]).sorted { $0.key < $1.key }
      return .array(fields.flatMap { [.text($0.key), .text($0.value)] })
    }
  }

  // MARK: Connections

  private func client(_ words: [String], _ session: Session) throws(SimulatedRefusal) -> RedisReply {
    switch words[1] {
    case "SETNAME": return .text("OK")
    case "ID": return .integer(session.id)
    case "CACHING":
      guard session.listener != nil else {
        throw SimulatedRefusal(
          line: "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled")
      }
      session.tracksNext = true
      return .text("OK")
    case "TRACKING":
      guard !forbidsTracking else {
        throw SimulatedRefusal(line: "NOPERM this user has no permissions to run the 'client|tracking' command")
      }
      guard words.count == 6, words[2] == "ON", words[3] == "REDIRECT", words[5] == "OPTIN", let id = Int64(words[4]) else {
        throw .syntax
      }
      guard hasSession(id) else { throw SimulatedRefusal(line: "ERR The client ID you want redirect to does not exist") }
      session.listener = id
      return .text("OK")
    default: preconditionFailure("the simulated Redis does not know CLIENT \(words[1])")
    }
  }
}

// MARK: - Steps that scripts take too

extension SimulatedKeyspace {
  /// False: it was there, or was not. Times are text, as they arrive; `unit`: milliseconds.
  func set(
    _ key: String, _ text: String, lifetime: String?, unit: Int64 = 1, onlyNew: Bool = false, onlyOld: Bool = false
  ) throws(SimulatedRefusal) -> Bool {
    var end = Self.forever
    if let lifetime {
      guard let count = SimulatedNumbers.integer(lifetime) else { throw .notAnInteger }
      let (milliseconds, overflows) = count.multipliedReportingOverflow(by: unit)
      guard count > 0, !overflows, milliseconds <= Int64.max - now else { throw .invalidExpiry("set") }
      end = now + milliseconds
    }
    guard !(onlyNew || onlyOld) || exists(key) == onlyOld else { return false }
    set(key, text, end: end)
    return true
  }

  func expire(
    _ key: String, in lifetime: String, unit: Int64 = 1, command: String = "pexpire"
  ) throws(SimulatedRefusal) -> Bool {
    guard let count = SimulatedNumbers.integer(lifetime) else { throw .notAnInteger }
    let (milliseconds, isTooLarge) = count.multipliedReportingOverflow(by: unit)
    let (end, overflows) = now.addingReportingOverflow(milliseconds)
    guard !isTooLarge, !overflows else { throw .invalidExpiry(command) }
    return self.end(key, at: end)
  }

  /// From the lowest; both ends included, negative ones from the end.
  func range(_ key: String, _ first: Int64, _ last: Int64) throws(SimulatedRefusal) -> ArraySlice<SimulatedSortedSet.Element> {
    guard let elements = try sortedSet(key)?.elements else { return [] }
    let count = Int64(elements.count)
    let low = max(0, first < 0 ? first + count : first)
    let high = min(count - 1, last < 0 ? last + count : last)
    guard low <= high else { return [] }
    return elements[elements.startIndex + Int(low)...elements.startIndex + Int(high)]
  }
}
