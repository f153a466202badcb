import Core

/// Hears of changed keys: a second connection, subscribed to the channel to which the server sends what the first one tracks.
///
/// That is RESP2's way (Redis 6 and newer, CLIENT TRACKING with REDIRECT). It serves one main connection and ends with it.
final class RedisTracker {
  /// Invalidations arrive. It tells each change of this by an `onInvalidation(nil)`.
  private(set) var isActive = false
  var onInvalidation: (([String]?) -> Void)?
  var commandsSent: Int { counted + (connection?.commandsSent ?? 0) }

  private static let channel = "__redis__:invalidate"

  private let loop: EventLoop
  private weak var main: (any RedisChannel)?
  private let name: String
  private let availability: RedisAvailability
  private var connection: (any RedisChannel)?
  private var policy = ReconnectPolicy(underSentinel: false)
  private var timer: TimerToken?
  private var id: Int64 = 0
  private var counted = 0

  init(loop: EventLoop, main: any RedisChannel, name: String, availability: RedisAvailability) {
    self.loop = loop
    self.main = main
    self.name = name
    self.availability = availability
  }

  deinit { stop() }

  func start() {
    guard let main, main.isReady else { return }
    let connection = main.makeListener(name: name)
    self.connection = connection
    connection.onReady = { [weak self] in self?.askForID() }
    connection.onClose = { [weak self] error in self?.lost(error) }
    connection.onPush = { [weak self] message in self?.received(message) }
    connection.open()
  }

  func stop() {
    if let timer { loop.cancel(timer) }
    timer = nil
    isActive = false
    retire()
  }

  private func retire() {
    counted += connection?.commandsSent ?? 0
    connection?.close()
    connection = nil
  }

  private func askForID() {
    connection?.send(["CLIENT", "ID"]) { [weak self] answer in
      guard let self else { return }
      switch answer {
      case .success(let reply):
        id = reply.integer ?? 0
        connection?.subscribe(to: Self.channel)
      case .failure(let error): if !error.isOutage { unavailable(error) }
      }
    }
  }

  private func received(_ message: RedisReply) {
    guard let parts = message.elements, parts.count == 3 else { return }
    if parts[0].text == "subscribe" {
      if !isActive { switchOn() }
    } else if parts[0].text == "message" {
      // A null instead of the list: everything was flushed.
      onInvalidation?(parts[2].elements.map { $0.compactMap(\.text) } ?? parts[2].text.map { [$0] })
    }
  }

  private func switchOn() {
    let target = id
    main?.send(["CLIENT", "TRACKING", "ON", "REDIRECT", RedisArgument(target), "OPTIN"]) { [weak self] answer in
      guard let self, target == id, connection != nil else { return }
      switch answer {
      case .success:
        isActive = true
        policy.succeeded()
        onInvalidation?(nil)
      case .failure(let error): if !error.isOutage { unavailable(error) }
      }
    }
  }

  /// Redis 5, or an ACL without the command or the channel: not worth another try on this connection.
  private func unavailable(_ error: RedisError) {
    stop()
    availability.noteOnce("Redis can't say when queues change (\(error.text)); they are looked at once a second")
  }

  private func lost(_ error: RedisError) {
    let wasActive = isActive
    isActive = false
    retire()
    guard error.isOutage else { return unavailable(error) }
    timer = loop.schedule(after: policy.delay(random: loop.random(in: 0...1))) { [weak self] in
      self?.timer = nil
      self?.start()
    }
    if wasActive { onInvalidation?(nil) }
  }
}
