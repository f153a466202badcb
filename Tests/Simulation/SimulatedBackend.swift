import Core
import Database
import JobKit

/// One connection to a simulated server, with the habits of the product's `SQLWorker`: one request at a time, two remedies for what passes or is
/// cut, a pause between attempts to connect. What the loop hears of it comes later, as from another thread.
final class SimulatedBackend: DatabaseBackend {
  private enum State {
    case connecting
    case idle
    /// On its way to the server.
    case asking(DatabaseRequest)
    /// The server does not answer.
    case stuck(DatabaseRequest)
    /// Its effect has taken place.
    case answering(DatabaseRequest)
    case pausing
  }

  /// As in `SQLWorker`.
  private static let pause = 0.7...1.4
  private static let connectTimeout = Duration.seconds(5)
  private static let answerTimeout = Duration.seconds(60)
  /// Until the loop hears of it, in seconds.
  private static let delivery = 0.00002...0.0005

  private static let refusal = DatabaseError(kind: .unreachable, number: 2002, text: "Can't connect to server")
  private static let cut = DatabaseError(kind: .lost, number: 2013, text: "Lost connection to server during query")

  private let server: SimulatedDatabase
  private let deliver: (DatabaseReply) -> Void
  private lazy var session = SimulatedSession(server)
  private var queue: [DatabaseRequest] = []
  private var outbox: [DatabaseReply] = []
  private var state = State.connecting
  /// Timers of an earlier step come too late.
  private var step = 0
  private var begun = MonotonicTime(nanoseconds: 0)
  private var epoch = 0
  private var settings: DatabaseSettings
  private var isOutdated = false
  private var isDead = false

  private var loop: EventLoop { server.loop }

  init(server: SimulatedDatabase, _ settings: DatabaseSettings, deliver: @escaping (DatabaseReply) -> Void) {
    self.server = server
    self.settings = settings
    self.deliver = deliver
    connect()
  }

  // MARK: From the loop

  /// Its process is gone; what the server was asked already it carries out.
  func die() {
    isDead = true
    queue = []
  }

  func add(_ request: DatabaseRequest) {
    guard !isDead else { return }
    queue.append(request)
    serve()
  }

  func change(_ settings: DatabaseSettings) {
    guard self.settings != settings else { return }
    self.settings = settings
    isOutdated = true
    switch state {
    case .idle, .pausing: connect()
    case .connecting, .asking, .stuck, .answering: break
    }
  }

  // MARK: From the server

  func connectionCut() {
    switch state {
    case .asking(let request), .stuck(let request), .answering(let request):
      advance(.idle)
      finish(request, .failure(Self.cut))
    // Whoever is idle sees it at the next request.
    case .idle, .connecting, .pausing: break
    }
  }

  func serverThawed() {
    switch state {
    case .stuck(let request): carryOut(request)
    case .connecting: connect()
    case .idle, .asking, .answering, .pausing: break
    }
  }

  // MARK: Steps

  private func advance(_ next: State) {
    state = next
    step += 1
  }

  private func after(_ delay: Duration, _ body: @escaping (SimulatedBackend) -> Void) {
    let step = step
    loop.schedule(after: delay) { [weak self] in
      if let self, self.step == step { body(self) }
    }
  }

  private func connect() {
    advance(.connecting)
    isOutdated = false
    after(Duration(seconds: loop.random(in: server.connectLatency))) { backend in
      if backend.server.isDown { return backend.refuse(Self.refusal) }
      guard backend.server.isSilent else { return backend.connected() }
      backend.after(Self.connectTimeout) { $0.refuse(Self.refusal) }
    }
  }

  private func connected() {
    advance(.idle)
    epoch = server.epoch
    send(DatabaseReply(number: 0, result: .success(0), change: .up(server: "simulated"), statements: 2))
    serve()
  }

  /// Everything that waits is told, then a pause.
  private func refuse(_ error: DatabaseError) {
    advance(.pausing)
    let refused = queue
    queue = []
    send(DatabaseReply(number: 0, result: .success(0), change: .down(error)))
    for request in refused { send(DatabaseReply(number: request.number, result: .failure(error))) }
    after(Duration(seconds: loop.random(in: Self.pause))) { $0.connect() }
  }

  private func serve() {
    guard case .idle = state else { return }
    if isOutdated { return connect() }
    guard !queue.isEmpty else { return }
    if epoch != server.epoch, queue[0].remedies > 0 {
      queue[0].remedies -= 1
      return connect()
    }
    let request = queue.removeFirst()
    begun = loop.now
    advance(.asking(request))
    guard epoch == server.epoch else { return connectionCut() }
    after(Duration(seconds: loop.random(in: server.latency))) { $0.carryOut(request) }
  }

  private func carryOut(_ request: DatabaseRequest) {
    if server.isSilent {
      advance(.stuck(request))
      return after(Self.answerTimeout) { $0.connectionCut() }
    }
    var interruption: DatabaseError?
    if server.transientErrors > 0, loop.random(in: 0.0...1) < server.transientErrors {
      let number: UInt32 = [1213, 1205, 1317][loop.random(in: 0...2)]
      interruption = DatabaseError(kind: .statement, number: number, text: "interrupted")
    }
    let result: Result<any Sendable, DatabaseError>
    // What is interrupted may have had its effect, or a part of it.
    if let interruption, loop.random(in: 0...1) == 0 {
      result = .failure(interruption)
    } else {
      do throws(DatabaseError) {
        let value = try request.run(session)
        result = interruption.map { .failure($0) } ?? .success(value)
      } catch {
        result = .failure(error)
      }
    }
    advance(.answering(request))
    after(Duration(seconds: loop.random(in: server.latency))) { backend in
      backend.advance(.idle)
      backend.finish(request, result)
    }
  }

  private func finish(_ request: DatabaseRequest, _ result: Result<any Sendable, DatabaseError>) {
    switch result {
    case .success: send(DatabaseReply(number: request.number, result: result, statements: 1))
    case .failure(let error):
      // Nobody waits any more for what took long.
      let isCurable = request.remedies > 0 && loop.now - begun < DatabaseClient.answerLimit
      if isCurable, request.mayRepeat, error.isOutage || error.isTransient {
        send(DatabaseReply(number: 0, result: .success(0), statements: 1))
        var request = request
        request.remedies -= 1
        queue.insert(request, at: 0)
      } else {
        let isAway = error.isOutage && !isCurable
        send(DatabaseReply(number: request.number, result: result, change: isAway ? .down(error) : nil, statements: 1))
        if isAway { return refuse(error) }
      }
      if error.isOutage { return connect() }
    }
    serve()
  }

  private func send(_ reply: DatabaseReply) {
    outbox.append(reply)
    guard outbox.count == 1 else { return }
    loop.schedule(after: Duration(seconds: loop.random(in: Self.delivery))) { [weak self] in
      guard let self else { return }
      let replies = outbox
      outbox = []
      for reply in replies { deliver(reply) }
    }
  }
}
