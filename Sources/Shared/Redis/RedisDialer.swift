import Core

/// Finds the server and makes one connection that is ready: looks names up, asks the Sentinels in turn, tries every address.
final class RedisDialer: RedisDialing {
  typealias Answer = (Result<any RedisChannel, RedisError>) -> Void

  /// Why a place is visited.
  private enum Purpose: Equatable {
    case server
    case sentinel(RedisHost)
    /// A server that a Sentinel calls master.
    case master
  }

  private enum Stop {
    case host(RedisHost, Purpose)
    case address(RedisAddress, tlsName: String?, Purpose)
  }

  /// Commands sent on connections that are over, those to Sentinels.
  private(set) var commandsSent = 0

  private let loop: EventLoop
  private let settings: RedisSettings
  private let choice: RedisEndpoint.Choice
  private let name: String
  private let limits: RedisLimits
  private let resolver: HostResolver
  private var sentinels: [RedisHost] = []
  private var service = ""
  private var stops: [Stop] = []
  /// Several Sentinels name the same master; it is tried once.
  private var tried: Set<RedisAddress> = []
  private var visiting: RedisConnection?
  private var failure: RedisError?
  private var answer: Answer?
  private var generation = 0

  init(
    loop: EventLoop, settings: RedisSettings, choice: RedisEndpoint.Choice, name: String, limits: RedisLimits, resolver: HostResolver
  ) {
    self.loop = loop
    self.settings = settings
    self.choice = choice
    self.name = name
    self.resolver = resolver
    if case .sentinel(let hosts, let service) = choice.endpoint {
      sentinels = hosts
      self.service = service
      self.limits = limits.underSentinel
    } else {
      self.limits = limits
    }
  }

  /// Answers once, from the loop, never from within this call; not at all after `cancel`.
  func dial(_ answer: @escaping Answer) {
    cancel()
    resolver.forget()
    self.answer = answer
    failure = nil
    tried = []
    switch choice.endpoint {
    case .sentinel: stops = sentinels.map { .host($0, .sentinel($0)) }
    case .unix(let path): stops = [.address(.unix(path: path), tlsName: nil, .server)]
    case .tcp(let host): stops = [.host(host, .server)]
    }
    let current = generation
    loop.afterTurn { [weak self] in
      guard let self, generation == current else { return }
      next()
    }
  }

  func cancel() {
    generation += 1
    answer = nil
    stops = []
    retire()
  }

  private func retire() {
    commandsSent += visiting?.commandsSent ?? 0
    visiting?.close()
    visiting = nil
  }

  private func next() {
    guard !stops.isEmpty else {
      let tell = answer
      answer = nil
      tell?(.failure(failure ?? RedisError(.unreachable, "\(choice.endpoint): no server")))
      return
    }
    switch stops.removeFirst() {
    case .host(let host, let purpose):
      let current = generation
      resolver.resolve(host.name, limit: limits.lookup) { [weak self] result in
        guard let self, generation == current else { return }
        switch result {
        case .failure(let error): fail(purpose, error)
        case .success(let addresses):
          stops = addresses.map { .address(.tcp(host: $0, port: host.port), tlsName: choice.tls ? host.name : nil, purpose) } + stops
          next()
        }
      }
    case .address(let address, let tlsName, let purpose):
      guard tried.insert(address).inserted else { return next() }
      visit(address, tlsName, purpose)
    }
  }

  private func fail(_ purpose: Purpose, _ error: RedisError) {
    switch purpose {
    case .server: failure = error
    case .master: failure = RedisError(error.kind, "master of \(service): \(error.text)")
    case .sentinel(let host):
      // What a master says weighs more than what a Sentinel does.
      if failure == nil { failure = RedisError(error.kind == .lost ? .unreachable : error.kind, "Sentinel \(host): \(error.text)") }
    }
    next()
  }

  private func visit(_ address: RedisAddress, _ tlsName: String?, _ purpose: Purpose) {
    var configuration = RedisConnection.Configuration(address: address)
    configuration.tlsName = tlsName
    configuration.limits = limits
    configuration.name = name
    if case .sentinel = purpose {
      configuration.credentials = RedisCredentials(user: settings.sentinelUser, password: settings.sentinelPassword)
      configuration.limits.command = limits.connect
    } else {
      configuration.credentials = RedisCredentials(user: settings.user, password: settings.password)
      configuration.database = settings.database
    }
    let connection = RedisConnection(loop: loop, configuration: configuration)
    visiting = connection
    connection.onClose = { [weak self] error in
      guard let self else { return }
      retire()
      fail(purpose, error)
    }
    connection.onReady = { [weak self, unowned connection] in
      guard let self else { return }
      switch purpose {
      case .server: finish(connection)
      case .sentinel(let host): ask(host, connection)
      case .master: checkRole(connection)
      }
    }
    connection.open()
  }

  private func finish(_ connection: RedisConnection) {
    visiting = nil
    connection.onClose = nil
    connection.onReady = nil
    stops = []
    let tell = answer
    answer = nil
    tell?(.success(connection))
  }

  private func ask(_ sentinel: RedisHost, _ connection: RedisConnection) {
    connection.send(["SENTINEL", "get-master-addr-by-name", RedisArgument(service)]) { [weak self, weak connection] answer in
      // When the connection ends first, onClose goes on.
      guard let self, let connection, connection === visiting, connection.state == .ready else { return }
      retire()
      let purpose = Purpose.sentinel(sentinel)
      switch answer {
      case .failure(let error): fail(purpose, error)
      case .success(let reply):
        guard let place = reply.elements, place.count == 2, let host = place[0].text, let port = place[1].integer,
          let port = Int(exactly: port), (1...65535).contains(port)
        else {
          return fail(purpose, RedisError(.unreachable, "knows no master of the service \(service) (REDIS_SENTINEL_SERVICE)"))
        }
        // The one that answers is asked first the next time.
        sentinels.removeAll { $0 == sentinel }
        sentinels.insert(sentinel, at: 0)
        stops.insert(.host(RedisHost(name: host, port: port), .master), at: 0)
        next()
      }
    }
  }

  /// A Sentinel may not know yet that its master was replaced.
  private func checkRole(_ connection: RedisConnection) {
    connection.send(["ROLE"]) { [weak self, weak connection] answer in
      guard let self, let connection, connection === visiting, connection.state == .ready else { return }
      switch answer {
      case .success(let reply) where reply.elements?.first?.text != "master":
        retire()
        fail(.master, RedisError(.readOnly, "\(connection.address) is \(reply.elements?.first?.text ?? "no master")"))
      case .failure(let error) where error.isOutage:
        retire()
        fail(.master, error)
      default:
        // An ACL may forbid ROLE; then the first write tells.
        finish(connection)
      }
    }
  }
}
