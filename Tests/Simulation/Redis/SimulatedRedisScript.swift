import Glibc
import JobKit
import Redis

/// One run of a script: its keys and arguments as Lua counts them, and the server's keys.
///
/// The scripts are written in Swift beside their Lua, step by step, so that a seed does not pay for an interpreter; the conformance tests
/// run both. `call` is `redis.call`: a refusal ends the script, with the line of the Lua in its text, and what was written stays.
final class SimulatedRedisScript {
  typealias Body = @Sendable (SimulatedRedisScript) throws(SimulatedRefusal) -> RedisReply

  let keyspace: SimulatedKeyspace
  private let server: SimulatedRedis
  private let script: RedisScript
  private var keys: ArraySlice<String>
  private var arguments: ArraySlice<String>
  private var hasWritten = false

  init(_ script: RedisScript, server: SimulatedRedis, keys: ArraySlice<String>, arguments: ArraySlice<String>) {
    keyspace = server.keyspace
    self.script = script
    self.server = server
    self.keys = keys
    self.arguments = arguments
  }

  /// KEYS[number]
  func key(_ number: Int) -> String { keys[keys.startIndex + number - 1] }
  /// ARGV[number]
  func argument(_ number: Int) -> String { arguments[arguments.startIndex + number - 1] }
  var keyCount: Int { keys.count }
  var argumentCount: Int { arguments.count }
  func text(_ score: Double) -> String { server.scoreText(score) }

  /// The first lines of a script that needs the node's mark: its key and the mark are not the script's own.
  func requireMark() throws(SimulatedRefusal) {
    let (alive, mark) = (keys.removeFirst(), arguments.removeFirst())
    guard (try? keyspace.text(alive)) == mark else {
      throw SimulatedRefusal(line: "STALE this connection was given up, or another service works under this name")
    }
  }

  // MARK: redis.call

  /// `place`: the call in the Lua text, the first one that begins so.
  func call<Value>(
    _ place: @autoclosure () -> String, _ effect: SimulatedRedis.Effect = .none,
    _ body: (SimulatedKeyspace) throws(SimulatedRefusal) -> Value
  ) throws(SimulatedRefusal) -> Value {
    do throws(SimulatedRefusal) {
      return try pcall(effect, body)
    } catch {
      throw located(error.line, at: place())
    }
  }

  /// Its refusals are the caller's to handle.
  func pcall<Value>(
    _ effect: SimulatedRedis.Effect = .none, _ body: (SimulatedKeyspace) throws(SimulatedRefusal) -> Value
  ) throws(SimulatedRefusal) -> Value {
    try server.refuse(effect, isFirstInScript: !hasWritten)
    if effect != .none { hasWritten = true }
    return try body(keyspace)
  }

  private func located(_ line: String, at place: String) -> SimulatedRefusal {
    SimulatedRefusal(line: "\(line) script: \(script.sha), on @user_script:\(lineNumber(of: place)).")
  }

  /// A comparison of a number with what is none.
  func comparison(at place: String) -> SimulatedRefusal {
    located("ERR user_script:\(lineNumber(of: place)): attempt to compare nil with number", at: place)
  }

  private func lineNumber(of place: String) -> Int {
    let lines = script.source.split(separator: "\n", omittingEmptySubsequences: false)
    guard let index = lines.firstIndex(where: { $0.contains(place) }) else { preconditionFailure("no \(place) in the script any more") }
    return index + 1
  }

  // MARK: Calls that several scripts have

  func get(_ number: Int) throws(SimulatedRefusal) -> String? {
    let key = key(number)
    return try call("redis.call('GET', KEYS[\(number)])") { keyspace throws(SimulatedRefusal) in try keyspace.text(key) }
  }

  func delete(_ number: Int) throws(SimulatedRefusal) -> RedisReply {
    let key = key(number)
    return .integer(try call("redis.call('DEL', KEYS[\(number)])", .writes) { keyspace in keyspace.delete(key) } ? 1 : 0)
  }

  func deleteField() throws(SimulatedRefusal) {
    let (notes, field) = (key(1), argument(1))
    _ = try call("redis.call('HDEL', KEYS[1], ARGV[1])", .writes) { keyspace throws(SimulatedRefusal) in
      try keyspace.deleteField(notes, field)
    }
  }

  @discardableResult
  func set(_ place: String, _ key: String, _ text: String, _ lifetime: String, onlyNew: Bool = false) throws(SimulatedRefusal) -> Bool {
    try call(place, .grows) { keyspace throws(SimulatedRefusal) in
      try keyspace.set(key, text, lifetime: lifetime, onlyNew: onlyNew)
    }
  }

  func add(_ place: String, _ queue: String, _ score: String, _ member: String) throws(SimulatedRefusal) -> Int64 {
    try call(place, .grows) { keyspace throws(SimulatedRefusal) in
      guard let score = SimulatedNumbers.score(score) else { throw .notAFloat }
      return try keyspace.setMember(queue, member, score, onlyNew: true) ? 1 : 0
    }
  }

  /// Lua's `tonumber`.
  static func number(_ text: String) -> Double? {
    text.withCString { start in
      var end: UnsafeMutablePointer<CChar>?
      let value = strtod(start, &end)
      guard var rest = end.map({ UnsafePointer($0) }), rest != start else { return nil }
      while isspace(Int32(rest.pointee)) != 0 { rest += 1 }
      return rest.pointee == 0 ? value : nil
    }
  }
}

extension SimulatedRedis {
  private static let scripts: [String: (script: RedisScript, body: SimulatedRedisScript.Body)] = {
    var all: [String: (RedisScript, SimulatedRedisScript.Body)] = [:]
    for entry in SimulatedScripts.all { all[entry.script.sha] = entry }
    return all
  }()

  private static let shas: [String: String] = {
    var all: [String: String] = [:]
    for entry in SimulatedScripts.all { all[entry.script.source] = entry.script.sha }
    return all
  }()

  /// EVAL source or EVALSHA sha, then the number of keys, keys, arguments.
  func evaluate(_ words: [String]) throws(SimulatedRefusal) -> RedisReply {
    guard !forbidsScripts else {
      throw SimulatedRefusal(line: "NOPERM this user has no permissions to run the '\(words[0].lowercased())' command")
    }
    guard let count = SimulatedNumbers.integer(words[2]) else { throw .notAnInteger }
    let sha: String
    if words[0] == "EVAL" {
      guard let found = Self.shas[words[1]] else { preconditionFailure("a script that is not simulated: \(words[1])") }
      sha = found
      knownScripts.insert(sha)
    } else {
      sha = words[1]
      guard knownScripts.contains(sha) else { throw SimulatedRefusal(line: "NOSCRIPT No matching script. Please use EVAL.") }
    }
    guard let found = Self.scripts[sha] else { preconditionFailure("a script that is not simulated: \(sha)") }
    let keys = words[3..<3 + Int(count)]
    return try found.body(SimulatedRedisScript(found.script, server: self, keys: keys, arguments: words[keys.endIndex...]))
  }
}
