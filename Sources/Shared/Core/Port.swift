import Logging

/// The supervisor's end of the connection to one child, whatever carries the messages.
public protocol SupervisorPort: AnyObject {
  var onMessage: ((UpwardMessage) -> Void)? { get set }
  /// Called once, after the last message, when the peer is gone or what it sends is no frame. Not called after `close`.
  var onClose: ((FrameChannel.Closing) -> Void)? { get set }

  /// False when the peer reads too slowly or is gone; the message is dropped then.
  func send(_ message: Downward) -> Bool
  func close()
}

/// A child's end of the connection to its supervisor. The implementer logs and drops messages that this version does not know.
public protocol ChildPort: AnyObject {
  var onMessage: ((Downward) -> Void)? { get set }
  /// Called once, after the last message: the supervisor is gone.
  var onClose: ((FrameChannel.Closing) -> Void)? { get set }
  /// Bytes that the supervisor has not taken yet.
  var backlog: Int { get }

  /// False when the supervisor reads too slowly or is gone; the message is dropped then.
  @discardableResult
  func send(_ message: Upward) -> Bool
}

/// JSON frames over a socket.
public final class FrameSupervisorPort: SupervisorPort {
  private let channel: FrameChannel
  public var onMessage: ((UpwardMessage) -> Void)?
  public var onClose: ((FrameChannel.Closing) -> Void)?

  /// Owns the descriptor from then on, unless it throws.
  public init(fd: Int32, loop: EventLoop) throws(SystemError) {
    channel = try FrameChannel(fd: fd, loop: loop, limit: FrameDecoder.upwardLimit)
    channel.onFrame = { [weak self] in self?.onMessage?(UpwardMessage.read($0)) }
    channel.onClose = { [weak self] in self?.onClose?($0) }
  }

  public func send(_ message: Downward) -> Bool { channel.send(message) }
  public func close() { channel.close() }
}

/// JSON frames over the socket that the supervisor has left to this process.
public final class FrameChildPort: ChildPort {
  private let channel: FrameChannel
  private let log: Logger
  public var onMessage: ((Downward) -> Void)?
  public var onClose: ((FrameChannel.Closing) -> Void)?

  /// Owns the descriptor from then on, unless it throws.
  public init(fd: Int32 = ChildLaunch.channel, loop: EventLoop, log: Logger) throws(SystemError) {
    self.log = log
    channel = try FrameChannel(fd: fd, loop: loop, limit: FrameDecoder.downwardLimit)
    channel.onFrame = { [weak self] in self?.receive($0) }
    channel.onClose = { [weak self] in self?.onClose?($0) }
  }

  public var backlog: Int { channel.backlog }

  @discardableResult
  public func send(_ message: Upward) -> Bool { channel.send(message) }

  private func receive(_ frame: [UInt8]) {
    let message: Downward
    do {
      message = try MessageCodec.decode(Downward.self, from: frame)
    } catch {
      return log.warning("a message of the supervisor is not understood and ignored: \(error)")
    }
    onMessage?(message)
  }
}
