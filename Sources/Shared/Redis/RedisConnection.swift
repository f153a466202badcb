import CHiredis
import CLinuxShims
import Core

/// One connection to one server, on a loop: connect, greet, then commands in order. It never blocks, never reconnects, and is used once.
///
/// Everything happens on the loop's thread. No closure of the owner is called from within `open`, `send` or `close`, except the answers
/// that `close` fails.
public final class RedisConnection: RedisChannel {
  public typealias Answer = (Result<RedisReply, RedisError>) -> Void

  public enum State: Equatable, Sendable {
    case new, connecting, greeting, ready, closed
  }

  /// What is needed to make a connection, and nothing about how it is used.
  public struct Configuration: Sendable {
    public var address: RedisAddress
    public var credentials = RedisCredentials()
    public var database = 0
    /// Shown in `CLIENT LIST`.
    public var name = ""
    /// The name that the server's certificate must have; nil = no TLS.
    public var tlsName: String?
    public var limits = RedisLimits()

    public init(address: RedisAddress) { self.address = address }
  }

  public let configuration: Configuration
  public var address: RedisAddress { configuration.address }
  public private(set) var state = State.new
  package var isReady: Bool { state == .ready }
  /// Commands given to the server, greeting and probes included.
  public private(set) var commandsSent = 0

  /// Greeted: commands may be sent.
  public var onReady: (() -> Void)?
  /// Ended by itself, once. All answers have failed before.
  public var onClose: ((RedisError) -> Void)?
  /// A message of a subscribed channel, or the confirmation of a subscription.
  public var onPush: ((RedisReply) -> Void)?

  private let loop: EventLoop
  private let plan: GreetingPlan
  private let hooks = RedisConnectionHooks()
  private var handle: OpaquePointer?
  private var socket: RedisSocketWatch
  private var waiting = PendingAnswers()
  private var connectTimer: TimerToken?
  private var commandTimer: TimerToken?
  private var idleTimer: TimerToken?
  private var lastTraffic: MonotonicTime
  private var channel: String?
  /// Since when the confirmation of a subscription is awaited.
  private var probed: MonotonicTime?

  public init(loop: EventLoop, configuration: Configuration) {
    self.loop = loop
    self.configuration = configuration
    socket = RedisSocketWatch(loop: loop)
    lastTraffic = loop.now
    plan = GreetingPlan(
      user: configuration.credentials.user, password: configuration.credentials.password, database: configuration.database,
      name: configuration.name)
    // hiredis writes without MSG_NOSIGNAL.
    shim_ignore_sigpipe()
  }

  deinit { release() }

  /// Begins. Success and failure are told by `onReady` and `onClose`, never before this returns.
  public func open() {
    precondition(state == .new, "a connection is used once")
    state = .connecting
    hooks.connection = self
    var events = hooks.events
    var reason = [CChar](repeating: 0, count: 160)
    switch address {
    case .tcp(let host, let port):
      handle = chiredis_connect_tcp(host, Int32(clamping: port), configuration.tlsName, &events, &reason, reason.count)
    case .unix(let path):
      handle = chiredis_connect_unix(path, &events, &reason, reason.count)
    }
    guard let handle else {
      let text = String(decoding: reason.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      loop.afterTurn { [self] in end(RedisError(.unreachable, "\(address): \(text)")) }
      return
    }
    do throws(SystemError) {
      try socket.start(chiredis_descriptor(handle)) { [weak self] readiness in self?.turned(readiness) }
    } catch {
      loop.afterTurn { [self] in end(RedisError(.unreachable, "\(address): \(error)")) }
      return
    }
    connectTimer = loop.schedule(after: configuration.limits.connect) { [weak self] in
      guard let self else { return }
      let what = state == .connecting ? "not connected" : "connected, but no answer"
      end(RedisError(.unreachable, "\(address): \(what) within \(configuration.limits.connect)"))
    }
  }

  /// Sends a command. Answers come in the order of the commands; when the connection ends first, the answer is a failure of kind `lost`.
  /// On a connection that is not ready the failure comes at the end of this turn.
  public func send(_ arguments: [RedisArgument], answer: @escaping Answer) {
    guard state == .ready else {
      loop.afterTurn { answer(.failure(RedisError(.unreachable, "not connected"))) }
      return
    }
    put(arguments.map(\.text), answer)
  }

  /// Subscribes; from now on only this may be sent. The confirmation arrives at `onPush` like the messages.
  public func subscribe(to channel: String) {
    guard state == .ready, let handle else { return }
    self.channel = channel
    var name = channel
    let status = name.withUTF8 { bytes in
      bytes.withMemoryRebound(to: CChar.self) { text in
        text.baseAddress.map { chiredis_subscribe(handle, $0, text.count) } ?? -1
      }
    }
    guard status == 0 else { return }
    commandsSent += 1
    probed = probed ?? loop.now
    watchAnswers()
  }

  /// Ends the connection; unanswered commands fail, `onClose` is not called.
  public func close() {
    onClose = nil
    onReady = nil
    onPush = nil
    end(RedisError(.lost, "connection closed"))
  }

  package func makeListener(name: String) -> any RedisChannel {
    var configuration = configuration
    configuration.name = name
    // Messages belong to no database.
    configuration.database = 0
    return RedisConnection(loop: loop, configuration: configuration)
  }

  // MARK: - Commands

  private func put(_ words: [String], _ answer: @escaping Answer) {
    guard let handle, RedisCommandBytes.give(words, to: handle) else {
      loop.afterTurn { answer(.failure(RedisError(.lost, "connection closed"))) }
      return
    }
    commandsSent += 1
    waiting.append(PendingAnswers.Entry(since: loop.now, answer: answer))
    watchAnswers()
  }

  private func greet() {
    state = .greeting
    for (step, command) in plan.steps {
      put(command) { [weak self] answer in
        guard let self, state == .greeting else { return }
        if let error = plan.judge(step, answer) {
          end(error)
        } else if step == .ping {
          state = .ready
          if let timer = connectTimer { loop.cancel(timer) }
          connectTimer = nil
          watchIdle()
          onReady?()
        }
      }
    }
  }

  // MARK: - Events of the socket and of hiredis

  private func turned(_ readiness: Readiness) {
    guard let handle else { return }
    let failed = !readiness.isDisjoint(with: .failed)
    let connecting = state == .connecting
    let readable = readiness.contains(.readable) || failed && !connecting
    let writable = readiness.contains(.writable) || failed && connecting
    withExtendedLifetime(self) { chiredis_handle(handle, readable ? 1 : 0, writable ? 1 : 0) }
  }

  fileprivate func interestChanged(read: Bool, write: Bool) {
    if state == .connecting || !write {
      return socket.want(read: read, write: write)
    }
    // What is sent in one turn leaves in one write, at its end, without asking epoll whether it may.
    if socket.holdWrites(read: read) {
      loop.afterTurn { [weak self] in
        guard let self, let handle else { return }
        chiredis_handle(handle, 0, 1)
        socket.releaseWrites()
      }
    }
  }

  fileprivate func connected() { greet() }

  fileprivate func replied(_ reply: RedisReply) {
    lastTraffic = loop.now
    guard let entry = waiting.popFirst() else { return }
    if case .error(let error) = reply { entry.answer(.failure(error)) } else { entry.answer(.success(reply)) }
  }

  fileprivate func pushed(_ reply: RedisReply) {
    lastTraffic = loop.now
    probed = nil
    if case .error(let error) = reply { return end(error) }
    onPush?(reply)
  }

  fileprivate func hungUp(_ reason: String) {
    // A refusal that nobody asked for, such as "max number of clients", arrives as the reason.
    let refusal = RedisError(server: reason)
    if refusal.kind != .other { return end(refusal) }
    end(RedisError(state == .connecting ? .unreachable : .lost, "\(address): \(reason)"))
  }

  // MARK: - Deadlines

  private var oldestWait: MonotonicTime? { waiting.first?.since ?? probed }

  private func watchAnswers() {
    guard commandTimer == nil, let since = oldestWait else { return }
    commandTimer = loop.schedule(at: since + configuration.limits.command) { [weak self] in self?.lookAtAnswers() }
  }

  private func lookAtAnswers() {
    commandTimer = nil
    let isLate = { [self] in oldestWait.map { $0 + configuration.limits.command <= loop.now } ?? false }
    // After a pause of this process the answers may be here already.
    if isLate(), let handle { chiredis_handle(handle, 1, 0) }
    guard state != .closed else { return }
    if isLate() {
      end(RedisError(.lost, "\(address): no answer for \(configuration.limits.command)"))
    } else {
      watchAnswers()
    }
  }

  private func watchIdle() {
    idleTimer = loop.schedule(at: lastTraffic + configuration.limits.idle) { [weak self] in
      guard let self, state == .ready else { return }
      if lastTraffic + configuration.limits.idle <= loop.now {
        lastTraffic = loop.now
        // In RESP2 a subscribed connection may say little else; hiredis 0.14 loses the answer of its PING.
        if let channel { subscribe(to: channel) } else { put(["PING"]) { _ in } }
      }
      watchIdle()
    }
  }

  // MARK: - End

  private func end(_ error: RedisError) {
    guard state != .closed else { return }
    state = .closed
    release()
    let tell = onClose
    onReady = nil
    onClose = nil
    onPush = nil
    let lost = error.kind == .lost ? error : RedisError(.lost, error.text)
    for entry in waiting.takeAll() { entry.answer(.failure(lost)) }
    tell?(error)
  }

  private func release() {
    for timer in [connectTimer, commandTimer, idleTimer] { if let timer { loop.cancel(timer) } }
    hooks.connection = nil
    socket.stop()
    if let handle { chiredis_close(handle) }
    handle = nil
  }
}

/// The C side's way back. An object of its own, so that a connection that goes away leaves no dangling pointer behind.
final class RedisConnectionHooks {
  weak var connection: RedisConnection?

  private static func connection(_ context: UnsafeMutableRawPointer?) -> RedisConnection? {
    context.flatMap { Unmanaged<RedisConnectionHooks>.fromOpaque($0).takeUnretainedValue().connection }
  }

  var events: chiredis_events {
    chiredis_events(
      context: Unmanaged.passUnretained(self).toOpaque(),
      interest: { RedisConnectionHooks.connection($0)?.interestChanged(read: $1 != 0, write: $2 != 0) },
      connected: { RedisConnectionHooks.connection($0)?.connected() },
      replied: { context, reply in RedisConnectionHooks.connection(context)?.replied(RedisReply(reply)) },
      pushed: { context, reply in RedisConnectionHooks.connection(context)?.pushed(RedisReply(reply)) },
      closed: { context, reason in RedisConnectionHooks.connection(context)?.hungUp(String(cString: reason)) })
  }
}
