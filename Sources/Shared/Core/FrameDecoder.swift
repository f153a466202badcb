/// Cuts a byte stream into frames: a length of 4 bytes, most significant first, then that many bytes of JSON.
///
/// The stream comes from another process and is gossip: any input ends in frames or in one error, after which the stream is to be closed.
public struct FrameDecoder: Sendable {
  public enum Failure: Error, Equatable, Sendable {
    /// The announced length is over the limit; nothing of it is buffered.
    case tooLong(announced: Int, limit: Int)
    case empty
  }

  /// What a child may send.
  public static let upwardLimit = 64 * 1024
  /// What the supervisor may send; a configuration with long lists of groups fits many times over.
  public static let downwardLimit = 256 * 1024

  private let limit: Int
  private var buffer: [UInt8] = []

  public init(limit: Int) {
    self.limit = limit
  }

  /// Bytes of an unfinished frame; more than 0 at the end of the stream means that it was cut.
  public var pending: Int { buffer.count }

  /// Takes what was read and returns the frames that are complete now.
  public mutating func feed(_ bytes: some Sequence<UInt8>) throws(Failure) -> [[UInt8]] {
    buffer.append(contentsOf: bytes)
    var frames: [[UInt8]] = []
    var start = 0
    while buffer.count - start >= 4 {
      let length = buffer[start..<start + 4].reduce(0) { $0 << 8 | Int($1) }
      guard length > 0 else { throw .empty }
      guard length <= limit else { throw .tooLong(announced: length, limit: limit) }
      guard buffer.count - start - 4 >= length else { break }
      frames.append(Array(buffer[start + 4..<start + 4 + length]))
      start += 4 + length
    }
    buffer.removeFirst(start)
    return frames
  }

  /// The bytes on the wire for a payload.
  public static func frame(_ payload: some Collection<UInt8>) -> [UInt8] {
    let length = UInt32(payload.count)
    var bytes: [UInt8] = []
    bytes.reserveCapacity(payload.count + 4)
    for shift in stride(from: 24, through: 0, by: -8) { bytes.append(UInt8(truncatingIfNeeded: length >> UInt32(shift))) }
    bytes.append(contentsOf: payload)
    return bytes
  }
}
