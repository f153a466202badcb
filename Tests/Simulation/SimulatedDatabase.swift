import Core
import Database
import JobKit
import Logging

/// A database server on a virtual loop, with everything that can be wrong with one. Its clients are the product's own (`DatabaseClient`).
///
/// Its clock runs with the monotonic one, apart from the host's wall clock: either may be stepped, and they may differ.
public final class SimulatedDatabase {
  public let loop: EventLoop
  public var tables = SimulatedTables()

  /// How far the server's clock is ahead of the wall clock that the host had at the start.
  public var clockOffset = Duration.zero
  /// The server's own time zone and the host's, in seconds east of UTC.
  public var zone = 0
  public var hostZone = 0
  /// Scripts' writes don't stick, and a node's report fails.
  public var isReadOnly = false
  /// The share of questions that an interrupted statement, a dead-lock or a lock wait time-out meets.
  public var transientErrors = 0.0
  /// Seconds from a question to its effect, and from there to the answer.
  public var latency = 0.0002...0.002
  /// Seconds until a connection stands.
  public var connectLatency = 0.001...0.02

  public private(set) var isDown = false
  /// It accepts and never answers.
  public private(set) var isSilent = false
  /// Connections of another number are cut.
  private(set) var epoch = 0
  private let clockAtZero: Duration
  private var backends: [Weak] = []

  private struct Weak {
    weak var backend: SimulatedBackend?
  }

  public init(loop: EventLoop) {
    self.loop = loop
    clockAtZero = loop.wall - .nanoseconds(loop.now.nanoseconds)
  }

  /// A connection. It ends with its last reference. Of a `process` with a loop of its own the answers come there, and a dead one asks
  /// nothing more.
  public func client(
    _ settings: DatabaseSettings = DatabaseSettings(), of process: SimulatedProcess? = nil, log: Logger
  ) -> DatabaseClient {
    backends.removeAll { $0.backend == nil }
    return DatabaseClient(loop: process?.loop ?? loop, log: log) { client in
      let isOwn = process != nil
      let backend = SimulatedBackend(server: self, settings) { [weak client, weak process] reply in
        if isOwn { process?.post { client?.receive(reply) } } else { client?.receive(reply) }
      }
      backends.append(Weak(backend: backend))
      process?.onDeath.append { [weak backend] in backend?.die() }
      return backend
    }
  }

  // MARK: The clock

  /// Since 1970, by the server's clock.
  public var wall: Duration { .nanoseconds(loop.now.nanoseconds) + clockAtZero + clockOffset }

  /// NOW(), in whole seconds since 1970.
  public var now: Int64 { wall.components.seconds }

  // MARK: Faults

  /// The server stops: connections are cut, new ones refused.
  public func goDown() {
    isDown = true
    isSilent = false
    cutConnections()
  }

  public func comeUp() { isDown = false }

  /// As an admin's KILL or the server's wait_timeout does it.
  public func cutConnections() {
    epoch += 1
    for entry in backends { entry.backend?.connectionCut() }
  }

  public func freeze() { isSilent = true }

  public func thaw() {
    isSilent = false
    for entry in backends { entry.backend?.serverThawed() }
  }

  /// Writes nonsense into up to `rows` devices and, once in a while, into rows of nodes: what a broken script, a wrong clock or an admin leaves.
  public func addGarbage(_ rows: Int, using generator: inout some RandomNumberGenerator) {
    for _ in 0..<rows {
      guard var device = tables.devices.randomElement(using: &generator) else { break }
      switch Int.random(in: 0..<8, using: &generator) {
      case 0: device.lastPolled = now + Int64.random(in: 1...100_000, using: &generator)
      case 1: device.lastPolled = 0
      case 2: device.lastPolledTaken = [0, 1e7, 1e12].randomElement(using: &generator) ?? 0
      case 3: device.lastDiscovered = now + Int64.random(in: 1...100_000, using: &generator)
      case 4: device.lastDiscoveredTaken = [0, 1e7, 1e12].randomElement(using: &generator) ?? 0
      case 5: device.status = Int.random(in: -1...3, using: &generator)
      case 6: device.group = Int.random(in: -2...99, using: &generator)
      default:
        device.lastPolled = nil
        device.lastDiscovered = nil
      }
      tables.set(device)
    }
    guard let place = tables.cluster.indices.randomElement(using: &generator) else { return }
    switch Int.random(in: 0..<4, using: &generator) {
    case 0: tables.cluster[place].groups = ["", "x", "1,,2", "-1", "0 1"].randomElement(using: &generator) ?? ""
    case 1: tables.cluster[place].lastReport = now + Int64.random(in: -1_000_000...1_000_000, using: &generator)
    case 2: tables.cluster[place].master = Int.random(in: -1...3, using: &generator)
    default: tables.cluster[place].pollerFrequency = [nil, 0, -5, 1, 999_999].randomElement(using: &generator) ?? nil
    }
  }

  // MARK: What scripts write

  /// A script can write now.
  public var takesWrites: Bool { !isDown && !isSilent && !isReadOnly }

  /// A poll that took so long ends now. LibreNMS writes the host's clock, cut to seconds, and the time taken to milliseconds.
  ///
  /// False = it did not stick.
  @discardableResult
  public func polled(_ id: Int64, taken: Duration) -> Bool {
    change(id) { device in
      device.lastPolled = loop.wall.components.seconds
      device.lastPolledTaken = Double(taken.inMilliseconds) / 1000
    }
  }

  @discardableResult
  public func discovered(_ id: Int64, taken: Duration) -> Bool {
    change(id) { device in
      device.lastDiscovered = loop.wall.components.seconds
      device.lastDiscoveredTaken = Double(taken.inMilliseconds) / 1000
    }
  }

  @discardableResult
  public func setStatus(_ id: Int64, isUp: Bool) -> Bool { change(id) { $0.status = isUp ? 1 : 0 } }

  /// "Rediscover" in the web UI.
  @discardableResult
  public func rediscover(_ id: Int64) -> Bool { change(id) { $0.lastDiscovered = nil } }

  private func change(_ id: Int64, _ body: (inout SimulatedDevice) -> Void) -> Bool {
    guard takesWrites, var device = tables[id] else { return false }
    body(&device)
    tables.set(device)
    return true
  }
}
