import Core

/// The supervisor's end of the pipe from the configuration helper.
protocol ResolverPort: AnyObject {
  var onMessage: ((ResolverMessage) -> Void)? { get set }
  /// Called once, after the last message. Not called after `close`.
  var onClose: ((FrameChannel.Closing) -> Void)? { get set }
  func close()
}

/// What a frame from the helper is.
enum ResolverMessage {
  case report(ResolverReport)
  case garbage(bytes: Int)
}

/// JSON frames over the helper's standard output.
final class FrameResolverPort: ResolverPort {
  /// A configuration with its entries and notes; the longest lists stay far below.
  private static let frameLimit = 1024 * 1024

  private let channel: FrameChannel
  var onMessage: ((ResolverMessage) -> Void)?
  var onClose: ((FrameChannel.Closing) -> Void)?

  /// Owns the descriptor from then on, unless it throws.
  init(fd: Int32, loop: EventLoop) throws(SystemError) {
    channel = try FrameChannel(fd: fd, loop: loop, limit: Self.frameLimit)
    channel.onFrame = { [weak self] in self?.receive($0) }
    channel.onClose = { [weak self] in self?.onClose?($0) }
  }

  func close() { channel.close() }

  private func receive(_ frame: [UInt8]) {
    // Not the error itself: it may quote the value that it did not like, and the values include passwords.
    let report = try? MessageCodec.decode(ResolverReport.self, from: frame)
    onMessage?(report.map { .report($0) } ?? .garbage(bytes: frame.count))
  }
}
