import Core
import Redis

/// What `RedisConnection` is to a link, without a socket: the same greeting, deadlines and order of events.
final class SimulatedRedisConnection: RedisChannel {
  private enum State { case new, connecting, greeting, ready, closed }

  let address = RedisAddress.tcp(host: "192.0.2.1", port: 6379)
  /// In the order of their making: an order that does not differ from run to run.
  let number: Int
  private(set) var commandsSent = 0
  var isReady: Bool { state == .ready }
  var onReady: (() -> Void)?
  var onClose: ((RedisError) -> Void)?
  var onPush: ((RedisReply) -> Void)?

  private let path: SimulatedRedisPath
  private let loop: EventLoop
  private let limits: RedisLimits
  private let name: String
  private var state = State.new
  private var session: SimulatedRedis.Session?
  private var waiting: [(since: MonotonicTime, answer: Answer?)] = []
  private var firstWaiting = 0
  /// Commands of this turn.
  private var outbox: [[String]] = []
  /// When the last packet arrives, at the server and here.
  private var lastThere = MonotonicTime(nanoseconds: 0)
  private var lastHere = MonotonicTime(nanoseconds: 0)
  /// More than the path's own delay, since a `Break.late`.
  private var lateUntil = MonotonicTime(nanoseconds: 0)
  private var connectTimer: TimerToken?
  private var commandTimer: TimerToken?
  private var idleTimer: TimerToken?
  private var lastTraffic: MonotonicTime
  private var channel: String?
  private var probed: MonotonicTime?

  init(path: SimulatedRedisPath, limits: RedisLimits, name: String) {
    self.path = path
    self.limits = limits
    self.name = name
    loop = path.loop
    lastTraffic = loop.now
    number = path.nextNumber()
  }

  deinit { release() }

  func makeListener(name: String) -> any RedisChannel { SimulatedRedisConnection(path: path, limits: limits, name: name) }

  // MARK: Coming up

  func open() {
    state = .connecting
    path.note(self, isOpen: true)
    path.carry(self, .toServer, behind: &lastThere) { [weak self] in self?.arrived() }
    connectTimer = loop.schedule(after: limits.connect) { [weak self] in
      guard let self else { return }
      let what = state == .connecting ? "not connected" : "connected, but no answer"
      end(RedisError(.unreachable, "\(address): \(what) within \(limits.connect)"))
    }
  }

  /// At the server.
  private func arrived() {
    guard state == .connecting else { return }
    session = path.server.accept(self)
    path.carry(self, .toClient, behind: &lastHere) { [weak self] in
      guard let self, state == .connecting else { return }
      if session != nil { greet() } else { end(RedisError(.unreachable, "\(address): Connection refused")) }
    }
  }

  private func greet() {
    state = .greeting
    put(["CLIENT", "SETNAME", name]) { _ in }
    put(["PING"]) { [weak self] answer in
      guard let self, state == .greeting else { return }
      if case .failure(let error) = answer, error.isOutage { return end(error) }
      state = .ready
      if let timer = connectTimer { loop.cancel(timer) }
      connectTimer = nil
      watchIdle()
      onReady?()
    }
  }

  // MARK: Commands

  func send(_ arguments: [RedisArgument], answer: @escaping Answer) {
    guard state == .ready else {
      return loop.afterTurn { answer(.failure(RedisError(.unreachable, "not connected"))) }
    }
    put(arguments.map(\.text), answer)
  }

  private func put(_ words: [String], _ answer: @escaping Answer) {
    commandsSent += 1
    waiting.append((loop.now, answer))
    watchAnswers()
    if outbox.isEmpty { loop.afterTurn { [weak self] in self?.flush() } }
    outbox.append(words)
  }

  func subscribe(to channel: String) {
    guard state == .ready else { return }
    self.channel = channel
    commandsSent += 1
    probed = probed ?? loop.now
    watchAnswers()
    carry { [weak self] session in
      guard session.isOpen else { return }
      self?.push(.array([.text("subscribe"), .text(channel), .integer(1)]))
    }
  }

  private func flush() {
    guard state != .closed, !outbox.isEmpty else { return }
    let packet = outbox
    outbox = []
    switch path.takeBreak() {
    case nil: carry(packet)
    case .beforeEffect: breakOff(after: [])
    case .midway: breakOff(after: Array(packet.prefix(loop.random(in: 0...packet.count - 1))))
    case .afterEffect: breakOff(after: packet)
    case .late(let time):
      lateUntil = loop.now + time
      carry(packet)
    }
  }

  private func carry(_ packet: [[String]]) {
    // Not captured weakly: what is sent arrives, whatever becomes of the connection.
    carry { [self] session in path.server.receive(packet, session) { [weak self] in self?.answered($0) } }
  }

  /// Does something at the server when a packet has arrived there.
  private func carry(_ body: @escaping (SimulatedRedis.Session) -> Void) {
    guard let session else { return }
    path.carry(self, .toServer, behind: &lastThere, slowness: max(.zero, lateUntil - loop.now)) { body(session) }
  }

  /// The server carries this out, and the connection is gone.
  private func breakOff(after packet: [[String]]) {
    carry { [self] session in
      if !packet.isEmpty { path.server.receive(packet, session) { _ in } }
      path.server.close(session)
      path.carry(self, .toClient, behind: &lastHere) { [weak self] in self?.reset() }
    }
  }

  // MARK: What the server says

  private func answered(_ replies: [RedisReply]) {
    path.carry(self, .toClient, behind: &lastHere, slowness: max(.zero, lateUntil - loop.now)) { [weak self] in
      for reply in replies { self?.received(reply) }
    }
  }

  private func received(_ reply: RedisReply) {
    guard state != .closed, firstWaiting < waiting.count else { return }
    lastTraffic = loop.now
    let answer = waiting[firstWaiting].answer
    waiting[firstWaiting].answer = nil
    firstWaiting += 1
    if firstWaiting == waiting.count {
      waiting.removeAll(keepingCapacity: true)
      firstWaiting = 0
    }
    if case .error(let error) = reply { answer?(.failure(error)) } else { answer?(.success(reply)) }
  }

  /// A message leaves the server.
  func push(_ message: RedisReply) {
    path.carry(self, .toClient, behind: &lastHere) { [weak self] in
      guard let self, state != .closed else { return }
      lastTraffic = loop.now
      probed = nil
      onPush?(message)
    }
  }

  /// The server's process, or its side of the connection, is gone.
  func endByServer() { path.carry(self, .toClient, behind: &lastHere) { [weak self] in self?.reset("Server closed the connection") } }

  /// What was on its way is lost for good, so nothing that follows it may arrive either.
  func losePacket() {
    if let session { path.server.close(session) }
    path.carry(self, .toClient, behind: &lastHere) { [weak self] in self?.reset() }
  }

  func reset(_ reason: String = "Connection reset by peer") {
    if let session { path.server.close(session) }
    end(RedisError(state == .connecting ? .unreachable : .lost, "\(address): \(reason)"))
  }

  // MARK: Deadlines

  private var oldestWait: MonotonicTime? { firstWaiting < waiting.count ? waiting[firstWaiting].since : probed }

  private func watchAnswers() {
    guard commandTimer == nil, let since = oldestWait else { return }
    commandTimer = loop.schedule(at: since + limits.command) { [weak self] in
      guard let self else { return }
      commandTimer = nil
      guard state != .closed else { return }
      if let oldestWait, oldestWait + limits.command <= loop.now {
        end(RedisError(.lost, "\(address): no answer for \(limits.command)"))
      } else {
        watchAnswers()
      }
    }
  }

  private func watchIdle() {
    idleTimer = loop.schedule(at: lastTraffic + limits.idle) { [weak self] in
      guard let self, state == .ready else { return }
      if lastTraffic + limits.idle <= loop.now {
        lastTraffic = loop.now
        if let channel { subscribe(to: channel) } else { put(["PING"]) { _ in } }
      }
      watchIdle()
    }
  }

  // MARK: The end

  /// Its process is gone, and nobody is told.
  func abandon() {
    guard state != .closed else { return }
    carry { [path] session in path.server.close(session) }
    state = .closed
    onReady = nil
    onClose = nil
    onPush = nil
    waiting = []
    firstWaiting = 0
    release()
  }

  func close() {
    onClose = nil
    onReady = nil
    onPush = nil
    end(RedisError(.lost, "connection closed"))
  }

  private func end(_ error: RedisError) {
    guard state != .closed else { return }
    // The server hears of it after what was sent before.
    carry { [path] session in path.server.close(session) }
    state = .closed
    release()
    path.note(self, isOpen: false)
    let tell = onClose
    onReady = nil
    onClose = nil
    onPush = nil
    let lost = error.kind == .lost ? error : RedisError(.lost, error.text)
    let left = waiting[firstWaiting...]
    waiting = []
    firstWaiting = 0
    for entry in left { entry.answer?(.failure(lost)) }
    tell?(error)
  }

  private func release() {
    for timer in [connectTimer, commandTimer, idleTimer] { if let timer { loop.cancel(timer) } }
    outbox = []
  }
}
