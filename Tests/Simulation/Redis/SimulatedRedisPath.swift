import Core
import Logging
import Redis

/// The network between one process and a simulated Redis, and where that process's links come from.
///
/// As with TCP, what is sent on a connection arrives in order or not at all, and what is sent in one turn of the loop travels together. A
/// process that gives a connection up does not take back what it has sent.
public final class SimulatedRedisPath {
  /// What becomes of a connection at its next packet of commands.
  public enum Break: Equatable, Sendable {
    /// It ends, and nothing of the packet is carried out.
    case beforeEffect
    /// It ends, and the server has read a part of the packet.
    case midway
    /// It ends when all is carried out; the answers are lost.
    case afterEffect
    /// It is silent for so long; then the packet and what follows it arrives, whether or not the client has given the connection up.
    case late(Duration)
  }

  public let server: SimulatedRedis
  /// The client's. What is on its way to the server arrives on the server's loop, also when the client stands still or is gone.
  let loop: EventLoop
  /// Of one direction, drawn for each packet.
  public var latency: ClosedRange<Duration> { didSet { nanoseconds = Self.nanoseconds(latency) } }
  /// The same, as it is drawn from.
  private var nanoseconds: ClosedRange<Int>
  /// Nothing gets through in either direction, and no connection ends with it.
  public private(set) var isCut = false
  private var nextBreak: Break?
  private var withheld: [(connection: SimulatedRedisConnection, body: () -> Void)] = []
  private(set) var isDead = false
  private var connectionCount = 0
  private var connections: [ObjectIdentifier: SimulatedRedisConnection] = [:]

  /// `loop`: of the client's process; nil = it is the server's.
  public init(
    to server: SimulatedRedis, loop: EventLoop? = nil, latency: ClosedRange<Duration> = .microseconds(50) ... .microseconds(400)
  ) {
    self.server = server
    self.loop = loop ?? server.loop
    self.latency = latency
    nanoseconds = Self.nanoseconds(latency)
  }

  /// The product's own link over simulated connections. `start` begins to connect.
  public func makeLink(settings: RedisSettings = RedisSettings(), name: String = "simulated", log: Logger) -> RedisLink {
    RedisLink(loop: loop, settings: settings, name: name, availability: RedisAvailability(log: log)) { [self] _, _, limits in
      SimulatedRedisDialer(path: self, limits: limits, name: name)
    }
  }

  // MARK: Faults

  /// The next packet of commands that a client sends here meets this.
  public func breakNextPacket(_ kind: Break) { nextBreak = kind }

  /// All connections end now; commands and answers on their way are lost.
  public func dropConnections() {
    for connection in connections.values.sorted(by: { $0.number < $1.number }) { connection.reset() }
  }

  public func cut() { isCut = true }

  /// The client's process is gone: the kernel closes its connections, behind what was sent, and nobody is answered. A successor has a path
  /// of its own.
  public func die() {
    isDead = true
    for connection in connections.values.sorted(by: { $0.number < $1.number }) { connection.abandon() }
    connections = [:]
  }

  /// `delivering`: what was sent meanwhile arrives, as the kernel sends it again, also for connections that were given up since. Otherwise
  /// it is lost, and the connections that lost something end.
  public func heal(delivering: Bool = true) {
    isCut = false
    let waiting = withheld
    withheld = []
    for entry in waiting { if delivering { entry.body() } else { entry.connection.losePacket() } }
  }

  // MARK: Packets

  func note(_ connection: SimulatedRedisConnection, isOpen: Bool) {
    connections[ObjectIdentifier(connection)] = isOpen ? connection : nil
  }

  func nextNumber() -> Int {
    connectionCount += 1
    return connectionCount
  }

  private static func nanoseconds(_ range: ClosedRange<Duration>) -> ClosedRange<Int> {
    Int(range.lowerBound.nanoseconds)...Int(range.upperBound.nanoseconds)
  }

  /// Takes the break that is due to a packet of commands, if one is.
  func takeBreak() -> Break? {
    defer { nextBreak = nil }
    return nextBreak
  }

  enum Direction { case toServer, toClient }

  /// Does something at the far end of the path when a packet of the connection that leaves now has arrived, behind `last`, which becomes its
  /// arrival.
  func carry(
    _ connection: SimulatedRedisConnection, _ direction: Direction, behind last: inout MonotonicTime, slowness: Duration = .zero,
    _ body: @escaping () -> Void
  ) {
    var arrival = MonotonicTime(nanoseconds: loop.now.nanoseconds + Int64(loop.random(in: nanoseconds)))
    if slowness > .zero { arrival = arrival + slowness }
    last = max(last, arrival)
    // Not captured weakly: what is on its way arrives, whatever becomes of the client.
    (direction == .toServer ? server.loop : loop).schedule(at: last) { [self] in
      if isCut { withheld.append((connection, body)) } else { body() }
    }
  }
}

/// Makes connections over a path.
final class SimulatedRedisDialer: RedisDialing {
  private let path: SimulatedRedisPath
  private let limits: RedisLimits
  private let name: String
  private var visiting: SimulatedRedisConnection?
  private var generation = 0
  private(set) var commandsSent = 0

  init(path: SimulatedRedisPath, limits: RedisLimits, name: String) {
    self.path = path
    self.limits = limits
    self.name = name
  }

  func dial(_ answer: @escaping (Result<any RedisChannel, RedisError>) -> Void) {
    cancel()
    let current = generation
    path.loop.afterTurn { [weak self] in
      guard let self, generation == current, !path.isDead else { return }
      let connection = SimulatedRedisConnection(path: path, limits: limits, name: name)
      visiting = connection
      connection.onReady = { [weak self, unowned connection] in
        self?.visiting = nil
        connection.onClose = nil
        connection.onReady = nil
        answer(.success(connection))
      }
      connection.onClose = { [weak self] error in
        self?.commandsSent += connection.commandsSent
        self?.visiting = nil
        answer(.failure(error))
      }
      connection.open()
    }
  }

  func cancel() {
    generation += 1
    commandsSent += visiting?.commandsSent ?? 0
    visiting?.close()
    visiting = nil
  }
}
