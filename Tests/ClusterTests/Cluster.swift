import Fixture
import Glibc
import RedisFixture
import Testing

/// Several nodes with base directories of their own, on one database and one Redis; whatever happens, nothing that it started stays.
final class Cluster {
  static let masterLock = "librenms.lock:dispatch.master"

  let mark = ProcessMark()
  let database: MariaDBServer
  let redis: RedisServer
  private(set) var nodes: [SampleNode] = []
  private let configuration: [String: JSON]
  private let sleep: String

  private init(_ configuration: [String: JSON], redis: RedisServer?, sleep: String) throws {
    self.configuration = configuration
    self.sleep = sleep
    self.redis = try redis ?? RedisServer()
    do { database = try MariaDBServer(mark: mark) } catch {
      mark.killAll()
      throw error
    }
  }

  /// Makes the nodes n1, n2 …, runs the body, stops what still runs and throws if a process outlives it. In the end no work is in flight
  /// and no device is locked, unless `leavesLocks`.
  static func play(
    nodes: Int, _ configuration: [String: JSON] = pollingOnly, redis: RedisServer? = nil, environment: [String: String] = [:],
    sleep: String = "1", leavesLocks: Bool = false, _ body: (Cluster) throws -> Void
  ) throws {
    let cluster = try Cluster(configuration, redis: redis, sleep: sleep)
    defer { cluster.mark.killAll() }
    do {
      for _ in 0..<nodes { try cluster.addNode(environment) }
      try body(cluster)
      try cluster.stop()
      if !leavesLocks { try cluster.expectNothingHeld() }
    } catch {
      for (index, node) in cluster.nodes.enumerated() { progress("standard error of n\(index + 1):\n\(node.errors.suffix(3000))") }
      throw error
    }
    cluster.database.stop()
    let left = cluster.mark.survivors()
    guard left.isEmpty else { throw FixtureError("left behind:\n" + left.map(\.description).joined(separator: "\n")) }
  }

  private func addNode(_ environment: [String: String]) throws {
    let name = "n\(nodes.count + 1)"
    var variables = ["NODE_ID": name, "REDIS_HOST": "127.0.0.1", "REDIS_PORT": "\(redis.port)"]
    for (key, value) in environment { variables[key] = value }
    nodes.append(
      try SampleNode(
        server: database, mark: mark, configuration: configuration.with(["distributed_poller_name": .text(name)]), environment: variables,
        sleep: sleep))
  }

  /// Lets all that still run come to their orderly end.
  func stop() throws {
    let running = nodes.filter { $0.dispatcher.map { $0.poll() == nil } ?? false }
    for node in running { node.dispatcher?.send(SIGTERM) }
    for node in running {
      let ending = node.dispatcher?.wait(.seconds(40))
      guard ending == .exited(0) else {
        throw FixtureError("the dispatcher's end: \(ending.map { "\($0)" } ?? "none within 40 s")")
      }
    }
  }

  private func expectNothingHeld() throws {
    let inFlight = try keys("librenms.inflight:*").map { "\($0): \(try redis.command("HGETALL", $0))" }
    #expect(inFlight.isEmpty, "nothing is in flight when all is idle")
    let locks = try keys("librenms.lock:*.device.*").filter { try !isHeldUntilItsTime($0) }
    #expect(locks.isEmpty, "no device is locked when all is idle: \(journal.runs.suffix(40))")
    // A service that was killed leaves its mark to its end; one that stops takes it away.
    let wasKilled = nodes.contains { $0.dispatcher?.ending == .signalled(SIGKILL) }
    let isFree = try eventually(within: .seconds(wasKilled ? 16 : 0)) { try keys("librenms.alive:*").isEmpty }
    #expect(isFree, "nobody who waits for a node's name has to wait for its end")
    #expect(try keys(Self.masterLock).isEmpty, "nobody leads when all have stopped")
  }

  /// A device that was queued again by a query from before its end is held until half a period after its begin, and not begun again.
  private func isHeldUntilItsTime(_ lock: String) throws -> Bool {
    let parts = lock.dropFirst("librenms.lock:".count).split(separator: ".").map(String.init)
    guard parts.count == 3, let run = journal.runs(parts[0], parts[2]).last, run.end != nil,
      let period = configuration["service_\(parts[0])_frequency"]?.number
    else { return false }
    let left = try Double(redis.command("PTTL", lock)) ?? .infinity
    // The begin is noted by the script itself, somewhat later.
    return wallClock() + left / 1000 <= run.start + period / 2 + 1
  }

  func keys(_ pattern: String) throws -> [String] {
    try redis.command("KEYS", pattern).split(separator: "\n").map(String.init).sorted()
  }

  // MARK: Nodes

  func start() throws { for node in nodes { try node.start() } }

  /// Starts all nodes and waits until scripts run.
  func startAndAwaitWork(within limit: Duration = .seconds(40)) throws {
    let began = wallClock()
    try start()
    guard eventually(within: limit, every: .milliseconds(50), { journal.runs("poller").contains { $0.start >= began } }) else {
      throw FixtureError("no script within \(limit)")
    }
  }

  /// What all nodes ran.
  var journal: Journal { Journal(nodes.map { readText($0.base + "/journal.log") ?? "" }.joined()) }

  /// Scripts that were killed in the middle. A script that ends while the journal is read has no end in it and is gone: a second look, at a
  /// journal that was read later, has its end.
  func deadScripts(_ type: String = "poller") -> [ScriptRun] {
    let suspects = journal.killed(type)
    guard !suspects.isEmpty else { return [] }
    pause(.milliseconds(200))
    let unfinished = journal.runs(type).filter { $0.end == nil }
    return suspects.filter { suspect in unfinished.contains { $0.pid == suspect.pid && $0.start == suspect.start } }
  }

  /// `n2-<uuid>`; nil = nobody leads, or the server is away.
  var leader: String? { (try? redis.command("GET", Self.masterLock)).flatMap { $0.isEmpty ? nil : $0 } }

  static func node(ofOwner owner: String) -> Int? {
    owner.hasPrefix("n") ? Int(owner.dropFirst().prefix { $0 != "-" }).map { $0 - 1 } : nil
  }

  /// The index of the node that leads, waited for.
  func awaitLeader(within limit: Duration = .seconds(15), not old: Int? = nil) throws -> Int {
    var found: Int?
    eventually(within: limit, every: .milliseconds(20)) {
      found = leader.flatMap(Self.node)
      return found != nil && found != old
    }
    guard let found, found != old else { throw FixtureError("nobody leads within \(limit)") }
    return found
  }

  /// The dispatcher's own processes, without scripts.
  func processes(of index: Int, withScripts: Bool = false) -> [ProcessInfo] {
    guard let supervisor = nodes[index].dispatcher?.pid else { return [] }
    return ProcessInfo.tree(of: supervisor).filter { $0.executable.hasPrefix("librenms-") || withScripts }
  }

  /// How many children a node has: one for each type, enabled or not.
  func children(of index: Int) -> Int { processes(of: index).count - 1 }

  /// How many lines with these words each kind of process of a node has written.
  func lines(_ words: String, of index: Int) -> Int {
    nodes[index].errors.split(separator: "\n").count { $0.contains(words) }
  }

  /// Waits for a script that starts after the moment, and returns its start.
  func firstStart(_ id: String? = nil, type: String = "poller", after moment: Double, within limit: Duration) -> Double? {
    var found: Double?
    eventually(within: limit, every: .milliseconds(20)) {
      found = journal.runs(type, id).first { $0.start > moment }?.start
      return found != nil
    }
    return found
  }
}

/// What holds for every journal, whatever was killed: nothing twice at once, nothing again within half a period.
///
/// Times in the database are whole seconds, so the begin that is computed from them can be up to a second early.
func expectNoDoubles(_ journal: Journal, _ type: String = "poller", halfPeriod: Double = 9) {
  let overlaps = journal.overlaps(type)
  #expect(overlaps.isEmpty, "\(overlaps.count) times a device twice at once: \(overlaps.prefix(3))")
  let repeats = journal.repeats(type, within: halfPeriod)
  #expect(repeats.isEmpty, "\(repeats.count) times a device again within half a period: \(repeats.prefix(3))")
}
