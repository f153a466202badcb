import Glibc

/// Frames over a non-blocking socket or pipe, both ways, on a loop. It owns the descriptor.
///
/// Nothing the peer does can block or grow this process: reading is bounded per turn, an unread peer makes `send` return false.
public final class FrameChannel {
  public enum Closing: Equatable {
    /// The peer closed its end, with this many bytes of an unfinished frame.
    case ended(pendingBytes: Int)
    case failed(SystemError)
    /// What came is not a frame.
    case garbage(FrameDecoder.Failure)
  }

  /// Bytes per turn of the loop; a peer that floods shares the loop with the others.
  private static let readBudget = 64 * 1024

  public let fd: Int32
  private let loop: EventLoop
  private var decoder: FrameDecoder
  private var output: [UInt8] = []
  private let outputLimit: Int
  private var open = true
  public var onFrame: (([UInt8]) -> Void)?
  /// Called once, after the last frame. The channel has closed its descriptor by then.
  public var onClose: ((Closing) -> Void)?

  /// `limit`: the longest frame that may come in. `outputLimit`: bytes kept for a peer that does not read.
  public init(fd: Int32, loop: EventLoop, limit: Int, outputLimit: Int = 1024 * 1024) throws(SystemError) {
    self.fd = fd
    self.loop = loop
    self.decoder = FrameDecoder(limit: limit)
    self.outputLimit = outputLimit
    let flags = fcntl(fd, F_GETFL)
    _ = fcntl(fd, F_SETFL, flags | O_NONBLOCK)
    _ = fcntl(fd, F_SETFD, FD_CLOEXEC)
    try loop.watch(fd, for: .readable) { [weak self] readiness in self?.handle(readiness) }
  }

  deinit { close() }

  public var isOpen: Bool { open }

  /// Bytes that the peer has not taken yet.
  public var backlog: Int { output.count }

  /// False when the peer reads too slowly or is gone; the frame is dropped then.
  @discardableResult
  public func send(_ frame: [UInt8]) -> Bool {
    guard open, output.count + frame.count <= outputLimit else { return false }
    output.append(contentsOf: frame)
    flush()
    return open
  }

  @discardableResult
  public func send(_ message: some Encodable) -> Bool {
    guard let frame = try? MessageCodec.encode(message) else { return false }
    return send(frame)
  }

  /// Closes without a call of `onClose`.
  public func close() {
    guard open else { return }
    open = false
    loop.unwatch(fd)
    Glibc.close(fd)
  }

  private func end(_ closing: Closing) {
    guard open else { return }
    close()
    onClose?(closing)
  }

  private func flush() {
    while !output.isEmpty {
      let sent = output.withUnsafeBytes { Glibc.write(fd, $0.baseAddress, $0.count) }
      if sent > 0 {
        output.removeFirst(sent)
      } else if errno == EAGAIN {
        loop.change(fd, to: [.readable, .writable])
        return
      } else if errno != EINTR {
        // What the peer said before it went is still to be read; the reading side ends the channel.
        output.removeAll()
      }
    }
    loop.change(fd, to: .readable)
  }

  private func handle(_ readiness: Readiness) {
    if readiness.contains(.writable) { flush() }
    guard open, readiness.contains(.readable) || !readiness.isDisjoint(with: .failed) else { return }
    let closing = withUnsafeTemporaryAllocation(byteCount: Self.readBudget, alignment: 1) { buffer -> Closing? in
      let count = read(fd, buffer.baseAddress, buffer.count)
      if count == 0 { return .ended(pendingBytes: decoder.pending) }
      if count < 0 {
        if errno == EAGAIN || errno == EINTR { return nil }
        return errno == ECONNRESET ? .ended(pendingBytes: decoder.pending) : .failed(SystemError("read"))
      }
      do throws(FrameDecoder.Failure) {
        for frame in try decoder.feed(buffer[..<count]) where open { onFrame?(frame) }
        return nil
      } catch {
        return .garbage(error)
      }
    }
    if let closing { end(closing) }
  }
}
