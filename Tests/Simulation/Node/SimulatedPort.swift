import Core

/// The two ends of the connection between a supervisor and a child, both processes of one world. Messages arrive in their order, a moment
/// later, unless the reader stands still; an end whose process dies closes the other one.
public final class SimulatedConnection {
  /// Of a socket that nobody reads, about as much as the product's frames would fill.
  private static let messageSize = 200
  private static let capacity = 256 * 1024
  private static let latency = Duration.microseconds(50)

  public let supervisorEnd: any SupervisorPort
  public let childEnd: any ChildPort

  public init(supervisor: SimulatedProcess, child: SimulatedProcess) {
    let upper = SupervisorEnd(supervisor)
    let lower = ChildEnd(child)
    upper.peer = lower
    lower.peer = upper
    supervisorEnd = upper
    childEnd = lower
    child.onDeath.append { [weak upper] _ in upper?.peerClosed() }
    supervisor.onDeath.append { [weak lower] _ in lower?.peerClosed() }
  }

  private final class SupervisorEnd: SupervisorPort {
    var onMessage: ((UpwardMessage) -> Void)?
    var onClose: ((FrameChannel.Closing) -> Void)?
    weak var peer: ChildEnd?
    unowned let process: SimulatedProcess
    var waiting = 0
    var isClosed = false

    init(_ process: SimulatedProcess) { self.process = process }

    func send(_ message: Downward) -> Bool {
      guard process.isAlive, !isClosed, let peer, peer.process.isAlive else { return false }
      guard (peer.waiting + 1) * messageSize <= capacity else { return false }
      peer.waiting += 1
      peer.process.post(after: latency) { [weak peer] in
        peer?.waiting -= 1
        if let peer, !peer.isClosed { peer.onMessage?(message) }
      }
      return true
    }

    func receive(_ message: Upward) {
      waiting += 1
      process.post(after: latency) { [weak self] in
        self?.waiting -= 1
        if let self, !isClosed { onMessage?(.known(message)) }
      }
    }

    func close() {
      guard !isClosed else { return }
      isClosed = true
      peer?.peerClosed()
    }

    func peerClosed() {
      process.post(after: latency) { [weak self] in
        guard let self, !isClosed else { return }
        isClosed = true
        onClose?(.ended(pendingBytes: 0))
      }
    }
  }

  private final class ChildEnd: ChildPort {
    var onMessage: ((Downward) -> Void)?
    var onClose: ((FrameChannel.Closing) -> Void)?
    weak var peer: SupervisorEnd?
    unowned let process: SimulatedProcess
    var waiting = 0
    var isClosed = false

    init(_ process: SimulatedProcess) { self.process = process }

    var backlog: Int { (peer?.waiting ?? 0) * messageSize }

    @discardableResult
    func send(_ message: Upward) -> Bool {
      guard process.isAlive, !isClosed, let peer, !peer.isClosed, peer.process.isAlive, backlog < capacity else { return false }
      peer.receive(message)
      return true
    }

    func peerClosed() {
      process.post(after: latency) { [weak self] in
        guard let self, !isClosed else { return }
        isClosed = true
        onClose?(.ended(pendingBytes: 0))
      }
    }
  }
}
