import Core
import Redis

/// A Redis server as a value in memory, on the clock of a loop: one thread, so one command, or one script, after the other.
///
/// Links reach it over a `SimulatedRedisPath` each. What a server can suffer is here, what a network can do to one node is there. Faults begin
/// and end at a call: a world decides when. All but the duration of a packet's way is the caller's; that one is the loop's dice.
public final class SimulatedRedis {
  /// What the server makes of commands that it would carry out otherwise.
  public enum Condition: Equatable, Sendable {
    case well
    /// It reads its data back; every command is refused.
    case loading
    /// Over `maxmemory` without eviction: commands that may need memory are refused.
    case outOfMemory
    /// It is a replica now.
    case readOnly
    /// It can't write its snapshot (MISCONF): writes are refused.
    case cannotSave
  }

  /// One client's side of the server.
  final class Session {
    let id: Int64
    var isOpen = true
    /// The listener that is told of changes; nil = this client tracks nothing.
    var listener: Int64?
    /// The keys that the next command reads are tracked.
    var tracksNext = false
    weak var connection: SimulatedRedisConnection?

    init(id: Int64) { self.id = id }
  }

  public let loop: EventLoop
  public var condition = Condition.well
  /// The ACL grants no scripts: `-@scripting`.
  public var forbidsScripts = false
  /// The ACL grants no CLIENT TRACKING.
  public var forbidsTracking = false
  /// How far this machine's clock is ahead of the loop's wall clock. Ends of keys are times of this clock, so a step moves them.
  public var clockOffset = Duration.zero
  public private(set) var isRunning = true
  public private(set) var isFrozen = false
  /// Commands that were carried out or refused, those inside of scripts not counted.
  public private(set) var commandCount = 0
  /// Sees every command with its answer.
  public var trace: ((_ session: Int64, _ words: [String], _ answer: RedisReply) -> Void)?

  var scoreFormat = SimulatedNumbers.ScoreFormat.seventeenDigits
  private(set) var keyspace = SimulatedKeyspace()
  /// Scripts that EVALSHA finds.
  var knownScripts: Set<String> = []
  private var sessions: [Int64: Session] = [:]
  private var lastSession: Int64 = 0
  /// Clients that are told of the next change of a key.
  private var trackers: [String: Set<Int64>] = [:]
  private var held: [() -> Void] = []
  private var replica: SimulatedReplica?
  /// Of `command`.
  private lazy var ownSession = Session(id: 0)

  public init(loop: EventLoop) {
    self.loop = loop
    watchKeyspace()
  }

  // MARK: Looking at it, without a network

  /// Carries out a command as a client without limits would. For the world's own hand, and for its other clients.
  @discardableResult
  public func command(_ words: String...) -> RedisReply { command(words) }

  @discardableResult
  public func command(_ words: [String]) -> RedisReply { execute([words], ownSession)[0] }

  /// All keys that have not ended, sorted.
  public var keys: [String] { looking { $0.keys } }
  /// nil = there is no such text.
  public func text(_ key: String) -> String? { looking { try? $0.text(key) } }
  /// From the lowest; empty = there is no such sorted set.
  public func members(_ key: String) -> [(member: String, score: Double)] {
    looking { (try? $0.sortedSet(key))?.elements.map { ($0.member, $0.score) } ?? [] }
  }
  public func fields(_ key: String) -> [String: String] { looking { (try? $0.hash(key)) ?? [:] } }
  /// nil = there is no such key, or it has no end.
  public func timeLeft(_ key: String) -> Duration? {
    let left = looking { $0.timeLeft(key) }
    return left < 0 ? nil : .milliseconds(left)
  }

  private func looking<Value>(_ body: (SimulatedKeyspace) -> Value) -> Value {
    keyspace.now = milliseconds
    return body(keyspace)
  }

  private var milliseconds: Int64 { (loop.wall + clockOffset).nanoseconds / 1_000_000 }

  // MARK: Faults

  /// The process is gone: its connections end, new ones are refused, its scripts are forgotten.
  public func stop() {
    isRunning = false
    isFrozen = false
    held = []
    dropAll()
    knownScripts = []
  }

  /// It is there again, with or without what it knew.
  public func start(keepingData: Bool) {
    if !keepingData { replaceKeyspace(SimulatedKeyspace()) }
    isRunning = true
  }

  /// SIGSTOP, or a machine that hangs: connections stay, nothing is answered.
  public func freeze() { isFrozen = isRunning }

  /// What was sent meanwhile is carried out, also what came over connections that were given up since.
  public func thaw() {
    isFrozen = false
    let waiting = held
    held = []
    for body in waiting { body() }
  }

  /// FLUSHALL by somebody. No connection ends with it; scripts stay.
  public func flush() { command("FLUSHALL") }

  /// One key is gone, as under `maxmemory-policy allkeys-…`. False: there is no such key.
  @discardableResult
  public func evict(_ key: String) -> Bool { looking { $0.delete(key) } }

  /// SCRIPT FLUSH.
  public func forgetScripts() { knownScripts = [] }

  /// From now on a replica follows, always this much behind.
  public func keepReplica(behind lag: Duration) {
    let replica = SimulatedReplica(of: keyspace, lag: lag)
    self.replica = replica
    keyspace.journal = { [loop] in replica.heard($0, at: loop.now) }
  }

  /// The server is gone and its replica serves instead, without the writes of the last moments. Connections end. A new replica follows.
  public func failOver() {
    guard let replica else { preconditionFailure("there is no replica: keepReplica(behind:) comes first") }
    stop()
    replaceKeyspace(replica.state(at: loop.now))
    isRunning = true
    condition = .well
    keepReplica(behind: replica.lag)
  }

  /// Ends the connections of all clients; they may come back at once.
  public func dropAll() {
    let open = sessions.sorted { $0.key < $1.key }
    sessions = [:]
    trackers = [:]
    for (_, session) in open {
      session.isOpen = false
      session.connection?.endByServer()
    }
  }

  private func replaceKeyspace(_ new: SimulatedKeyspace) {
    keyspace.journal = nil
    keyspace = new
    watchKeyspace()
    if let replica { keepReplica(behind: replica.lag) }
  }

  // MARK: Connections

  /// nil = refused.
  func accept(_ connection: SimulatedRedisConnection) -> Session? {
    guard isRunning else { return nil }
    lastSession += 1
    let session = Session(id: lastSession)
    session.connection = connection
    sessions[session.id] = session
    return session
  }

  func close(_ session: Session) {
    session.isOpen = false
    sessions[session.id] = nil
  }

  /// Carries out what arrived, now or when the server goes on; `answer` is not called when the connection has ended before.
  func receive(_ packet: [[String]], _ session: Session, _ answer: @escaping ([RedisReply]) -> Void) {
    guard !isFrozen else { return held.append { [weak self] in self?.receive(packet, session, answer) } }
    // The kernel answers for a process, or a connection, that is not there any more.
    guard session.isOpen else { return session.connection?.endByServer() ?? () }
    answer(execute(packet, session))
  }

  private func execute(_ packet: [[String]], _ session: Session) -> [RedisReply] {
    keyspace.now = milliseconds
    return packet.map { words in
      commandCount += 1
      let answer = carryOut(words, session)
      trace?(session.id, words, answer)
      return answer
    }
  }

  // MARK: Tracking

  private func watchKeyspace() {
    // Called by this object alone.
    keyspace.onChange = { [unowned self] key in
      guard !trackers.isEmpty, let clients = trackers.removeValue(forKey: key) else { return }
      for client in clients.sorted() { tell(client, .array([.text(key)])) }
    }
  }

  func track(_ key: String, for session: Session) { trackers[key, default: []].insert(session.id) }

  /// Everything is gone: all that track are told, whatever they track.
  func tellOfFlush() {
    trackers = [:]
    for session in sessions.values.filter({ $0.listener != nil }).sorted(by: { $0.id < $1.id }) { tell(session.id, .null) }
  }

  private func tell(_ client: Int64, _ keys: RedisReply) {
    guard let listener = sessions[client]?.listener.flatMap({ sessions[$0] }) else { return }
    listener.connection?.push(.array([.text("message"), .text("__redis__:invalidate"), keys]))
  }

  func hasSession(_ id: Int64) -> Bool { sessions[id] != nil }
}
