import Core
import Logging

/// One process's way to Redis: keeps a connection alive, follows Sentinel, knows what the server can do and may be asked.
///
/// All on the loop's thread. What is on its way when the connection ends fails with `lost`; nothing is sent twice, since only the sender
/// knows whether that would do harm.
public final class RedisLink {
  public typealias Answer = RedisConnection.Answer
  package typealias DialerMaker = (RedisSettings, RedisEndpoint.Choice, RedisLimits) -> any RedisDialing

  /// The server answers and takes writes.
  public private(set) var isUp = false
  /// Why it is not up; nil when it is, or before the first try.
  public private(set) var reason: RedisError?
  /// Called when `isUp` changes, before the failed answers of the commands that noticed it.
  public var onChange: ((Bool) -> Void)?
  /// A tracked key has changed, or (nil) any may have. Set before `start`; without it, nothing is tracked.
  public var onInvalidation: (([String]?) -> Void)?
  /// `onInvalidation` can be relied on now; if not, look once a second.
  public var isTracking: Bool { tracker?.isActive ?? false }
  /// A try to reach the server has failed, or what was up is not any more. Not so while the first try is under way.
  public var isAway: Bool { !isUp && reason != nil }
  /// The server, its ACL or a proxy refuses scripts; known after the first `eval` of a connection.
  public internal(set) var scriptsForbidden = false
  /// "7.0.15"; nil before the first connection and where the ACL forbids INFO.
  public private(set) var serverVersion: String?
  /// Where the present connection leads.
  public var address: RedisAddress? { connection?.address }
  /// All commands of this link: greetings, probes and those to Sentinels included.
  public var commandsSent: Int { counted + (connection?.commandsSent ?? 0) + (tracker?.commandsSent ?? 0) + (dialer?.commandsSent ?? 0) }

  /// Scripts that the present connection has sent in full.
  var loadedScripts: Set<String> = []
  public let availability: RedisAvailability
  let loop: EventLoop
  private let name: String
  private let makeDialer: DialerMaker
  private var settings: RedisSettings
  private var limits: RedisLimits
  private var policy = ReconnectPolicy(underSentinel: false)
  private var dialer: (any RedisDialing)?
  private var connection: (any RedisChannel)?
  private var tracker: RedisTracker?
  private var timer: TimerToken?
  private var counted = 0
  /// Down, but not said yet: the next try knows more about the reason.
  private var unsaid: RedisError?
  /// The server is a node of a Redis Cluster.
  private var shards = false

  /// `name` is shown in the server's CLIENT LIST. `limits` are for tests; nil = those of the settings.
  public convenience init(
    loop: EventLoop, settings: RedisSettings, name: String, availability: RedisAvailability, limits: RedisLimits? = nil
  ) {
    let resolver = HostResolver(loop: loop)
    self.init(loop: loop, settings: settings, name: name, availability: availability, limits: limits) { settings, choice, limits in
      RedisDialer(loop: loop, settings: settings, choice: choice, name: name, limits: limits, resolver: resolver)
    }
  }

  /// The same over connections that `makeDialer` finds.
  package init(
    loop: EventLoop, settings: RedisSettings, name: String, availability: RedisAvailability, limits: RedisLimits? = nil,
    makeDialer: @escaping DialerMaker
  ) {
    self.loop = loop
    self.settings = settings
    self.name = name
    self.availability = availability
    self.limits = limits ?? RedisLimits(settings)
    self.makeDialer = makeDialer
  }

  deinit { drop() }

  /// Begins to connect. Settings that can't be used leave the link down, with `reason`.
  public func start() {
    switch RedisEndpoint.choose(settings) {
    case .failure(let refusal):
      let error = RedisError(.unreachable, refusal.description)
      reason = error
      availability.down(self, error)
    case .success(let choice):
      for warning in choice.warnings { availability.warnOnce(warning) }
      var underSentinel = false
      if case .sentinel = choice.endpoint { underSentinel = true }
      policy = ReconnectPolicy(underSentinel: underSentinel)
      dialer = makeDialer(settings, choice, limits)
      dial()
    }
  }

  /// Ends it without another word; unanswered commands fail. `start` begins anew.
  public func stop() {
    availability.forget(self)
    isUp = false
    unsaid = nil
    drop()
  }

  /// Uses other settings from now on: the connection is made anew when they differ.
  public func change(_ new: RedisSettings) {
    guard new != settings else { return }
    settings = new
    limits = RedisLimits(new)
    let wasUp = isUp
    stop()
    if wasUp { onChange?(false) }
    start()
  }

  /// Sends a command; answers come in the order of the commands. Without a connection the failure comes at the end of this turn.
  public func send(_ arguments: [RedisArgument], answer: @escaping Answer) {
    guard let connection else {
      let error = reason ?? RedisError(.unreachable, "not connected yet")
      loop.afterTurn { answer(.failure(RedisError(.unreachable, error.text))) }
      return
    }
    connection.send(arguments) { [weak self, weak connection] result in
      if case .failure(let error) = result, error.isOutage, let self, let connection { self.noticed(error, on: connection) }
      answer(result)
    }
  }

  /// How many of these keys exist; from now on until its next change `onInvalidation` names each, once. Without tracking only the number.
  public func track(_ keys: [String], answer: @escaping (Result<Int64, RedisError>) -> Void) {
    // OPTIN: only what follows this is tracked, or the server would remember every lock that is looked at.
    if isTracking { send(["CLIENT", "CACHING", "YES"]) { _ in } }
    send(["EXISTS"] + keys.map { RedisArgument($0) }) { answer($0.map { $0.integer ?? 0 }) }
  }

  // MARK: - Coming up

  private func dial() {
    dialer?.dial { [weak self] result in
      guard let self else { return }
      switch result {
      case .failure(let error): failed(error)
      case .success(let connection): use(connection)
      }
    }
  }

  private func use(_ new: any RedisChannel) {
    connection = new
    loadedScripts = []
    scriptsForbidden = false
    shards = false
    new.onClose = { [weak self, weak new] error in
      guard let self, let new, new === connection else { return }
      forgetConnection()
      lost(error)
    }
    new.send(["INFO", "server"]) { [weak self] answer in
      guard let self, case .success(let reply) = answer else { return }
      serverVersion = reply.text.flatMap(RedisVersion.inInfo) ?? serverVersion
      if reply.text?.contains("redis_mode:cluster") ?? false { shards = true }
      if let serverVersion, RedisVersion.major(serverVersion) < 5 {
        availability.warnOnce("Redis \(serverVersion) is too old: queues need 5.0 or newer")
      }
    }
    probe()
  }

  /// A write that writes nothing: the key does not exist, and with XX it stays so. Read-only, full and unsaving servers refuse it all the same.
  private func probe() {
    guard let connection else { return }
    // Two keys that lie in two slots of a Redis Cluster, as our queues and locks do: also one with a single node refuses this.
    connection.send(["EXISTS", "librenms.probe", "librenms.probe.other"]) { [weak self] answer in
      if case .failure(let error) = answer, error.kind == .sharded { self?.shards = true }
    }
    connection.send(["SET", "librenms.probe", "", "XX", "PX", 1]) { [weak self, weak connection] answer in
      guard let self, let connection, connection === self.connection else { return }
      if shards || answer.isSharded {
        refused(Self.refusalOfShards(connection.address))
      } else if case .failure(let error) = answer, error.isOutage {
        // When the connection is gone, onClose goes on.
        if error.kind != .lost { refused(error) }
      } else {
        rise()
      }
    }
  }

  static func refusalOfShards(_ address: RedisAddress) -> RedisError {
    RedisError(
      .sharded,
      "\(address) is in cluster mode, where the keys of one step lie on several servers: name a Redis without cluster mode (cluster-enabled "
        + "no), alone or under Sentinel")
  }

  private func rise() {
    policy.succeeded()
    reason = nil
    if let unsaid { availability.down(self, unsaid) }
    unsaid = nil
    guard !isUp, let connection else { return }
    isUp = true
    availability.up(self, "\(serverVersion ?? "unknown version") at \(connection.address)")
    if onInvalidation != nil && tracker == nil { startTracking(connection) }
    onChange?(true)
  }

  private func startTracking(_ connection: any RedisChannel) {
    let tracker = RedisTracker(loop: loop, main: connection, name: name + "-wake", availability: availability)
    tracker.onInvalidation = { [weak self] keys in self?.onInvalidation?(keys) }
    self.tracker = tracker
    tracker.start()
  }

  // MARK: - Going down

  /// An answer told of an outage.
  private func noticed(_ error: RedisError, on connection: any RedisChannel) {
    guard connection === self.connection, isUp else { return }
    fall(error)
    // A lost connection goes on at onClose.
    guard error.kind != .lost && error.kind != .unreachable else { return }
    loop.afterTurn { [weak self, weak connection] in
      guard let self, let connection, connection === self.connection else { return }
      refused(error)
    }
  }

  /// The server is there and refuses. Some of it passes; a replica and a forgotten login need another connection.
  private func refused(_ error: RedisError) {
    if [.readOnly, .unauthorized, .masterDown, .sharded].contains(error.kind) {
      let old = connection
      forgetConnection()
      old?.close()
      return failed(error)
    }
    say(error)
    fall(error)
    retry { $0.probe() }
  }

  /// The connection ended. What was up is said to be down when the first try has found out more about the reason.
  private func lost(_ error: RedisError) {
    if isUp || unsaid != nil { fall(error) } else { say(error) }
    reason = error
    retry { $0.dial() }
  }

  /// There is no connection to be had.
  private func failed(_ error: RedisError) {
    say(error)
    reason = error
    retry { $0.dial() }
  }

  private func fall(_ error: RedisError) {
    reason = error
    guard isUp else { return }
    isUp = false
    unsaid = error
    onChange?(false)
  }

  private func say(_ error: RedisError) {
    let before = unsaid.map { $0.text == error.text ? "" : " (before: \($0.text))" } ?? ""
    unsaid = nil
    availability.down(self, error, before: before)
  }

  private func retry(_ body: @escaping (RedisLink) -> Void) {
    if let timer { loop.cancel(timer) }
    timer = loop.schedule(after: policy.delay(random: loop.random(in: 0...1))) { [weak self] in
      guard let self else { return }
      timer = nil
      body(self)
    }
  }

  private func forgetConnection() {
    counted += (connection?.commandsSent ?? 0) + (tracker?.commandsSent ?? 0)
    tracker?.stop()
    tracker = nil
    connection?.onClose = nil
    connection = nil
  }

  private func drop() {
    if let timer { loop.cancel(timer) }
    timer = nil
    let old = connection
    forgetConnection()
    old?.close()
    dialer?.cancel()
    counted += dialer?.commandsSent ?? 0
    dialer = nil
  }
}

/// What INFO says about the server.
enum RedisVersion {
  /// Valkey and others put the Redis version that they are compatible with into the same line.
  static func inInfo(_ text: String) -> String? {
    for line in text.split(whereSeparator: \.isNewline) where line.hasPrefix("redis_version:") {
      return String(line.dropFirst("redis_version:".count))
    }
    return nil
  }

  static func major(_ version: String) -> Int { Int(version.prefix { $0 != "." }) ?? .max }
}

extension Result where Success == RedisReply, Failure == RedisError {
  fileprivate var isSharded: Bool { if case .failure(let error) = self { error.kind == .sharded } else { false } }
}
