import Core

/// The connection between a supervisor and one child, without bytes: messages arrive one by one, in order, after a delay.
public final class SimulatedConnection {
  public let supervisorPort: SimulatedSupervisorPort
  public let childPort: SimulatedChildPort

  /// `delay`: of one message; drawn anew for each. Messages arrive on their reader's loop, which may be one for both.
  public init(supervisor: EventLoop, child: EventLoop, delay: @escaping () -> Duration = { .microseconds(50) }) {
    let up = MessagePipe<UpwardMessage>(loop: supervisor, delay: delay)
    let down = MessagePipe<Downward>(loop: child, delay: delay)
    supervisorPort = SimulatedSupervisorPort(input: up, output: down)
    childPort = SimulatedChildPort(input: down, output: up)
  }
}

/// Closed when it is dropped, as the descriptor of a process that ends.
public final class SimulatedSupervisorPort: SupervisorPort {
  private let input: MessagePipe<UpwardMessage>
  private let output: MessagePipe<Downward>
  public var onMessage: ((UpwardMessage) -> Void)?
  public var onClose: ((FrameChannel.Closing) -> Void)?

  init(input: MessagePipe<UpwardMessage>, output: MessagePipe<Downward>) {
    self.input = input
    self.output = output
    input.onMessage = { [weak self] in self?.onMessage?($0) }
    input.onEnd = { [weak self] in self?.onClose?(.ended(pendingBytes: 0)) }
  }

  deinit { close() }

  /// The supervisor's process is stopped: what arrives waits.
  public var isFrozen: Bool {
    get { input.isFrozen }
    set { input.isFrozen = newValue }
  }

  public func send(_ message: Downward) -> Bool { output.send(message) }

  public func close() {
    input.closeReader()
    output.closeWriter()
  }
}

/// Closed when it is dropped, as the descriptor of a process that ends.
public final class SimulatedChildPort: ChildPort {
  private let input: MessagePipe<Downward>
  private let output: MessagePipe<UpwardMessage>
  public var onMessage: ((Downward) -> Void)?
  public var onClose: ((FrameChannel.Closing) -> Void)?

  init(input: MessagePipe<Downward>, output: MessagePipe<UpwardMessage>) {
    self.input = input
    self.output = output
    input.onMessage = { [weak self] in self?.onMessage?($0) }
    input.onEnd = { [weak self] in self?.onClose?(.ended(pendingBytes: 0)) }
  }

  deinit { close() }

  /// The child's process is stopped: what arrives waits.
  public var isFrozen: Bool {
    get { input.isFrozen }
    set { input.isFrozen = newValue }
  }

  public var backlog: Int { output.backlog }

  @discardableResult
  public func send(_ message: Upward) -> Bool { output.send(.known(message)) }

  /// What no child of this version would send.
  public func send(raw message: UpwardMessage) { _ = output.send(message) }

  /// What a process does that ends.
  public func close() {
    input.closeReader()
    output.closeWriter()
  }
}

/// One direction.
final class MessagePipe<Message> {
  /// About the size of a heartbeat as JSON.
  private static var messageBytes: Int { 512 }
  /// What `FrameChannel` keeps for a peer that does not read.
  private static var limit: Int { 1024 * 1024 }

  private enum Item {
    case message(Message)
    case end
  }

  private let loop: EventLoop
  private let delay: () -> Duration
  /// On their way, in order.
  private var items: [Item] = []
  /// How many of them have arrived and wait for a frozen reader.
  private var arrived = 0
  private var lastArrival: MonotonicTime?
  private var hasWriter = true
  private var hasReader = true
  var onMessage: ((Message) -> Void)?
  var onEnd: (() -> Void)?

  init(loop: EventLoop, delay: @escaping () -> Duration) {
    self.loop = loop
    self.delay = delay
  }

  var isFrozen = false {
    didSet { if !isFrozen { takeArrived() } }
  }

  /// Bytes that the reader has not taken.
  var backlog: Int { items.count * Self.messageBytes }

  func send(_ message: Message) -> Bool {
    guard hasWriter, backlog + Self.messageBytes <= Self.limit else { return false }
    // As with a socket, whose writer learns of its peer's end by reading.
    if hasReader { put(.message(message)) }
    return true
  }

  func closeWriter() {
    guard hasWriter else { return }
    hasWriter = false
    if hasReader { put(.end) }
  }

  func closeReader() {
    hasReader = false
    items = []
    arrived = 0
  }

  private func put(_ item: Item) {
    items.append(item)
    let arrival = max(lastArrival ?? loop.now, loop.now + delay())
    lastArrival = arrival
    loop.schedule(at: arrival) { [self] in
      guard hasReader else { return }
      arrived += 1
      takeArrived()
    }
  }

  private func takeArrived() {
    while hasReader, !isFrozen, arrived > 0 {
      arrived -= 1
      switch items.removeFirst() {
      case .message(let message): onMessage?(message)
      case .end: onEnd?()
      }
    }
  }
}
