import FoundationEssentials

/// Messages to and from the bytes of a frame.
public enum MessageCodec {
  /// A whole frame, length included.
  public static func encode(_ message: some Encodable) throws -> [UInt8] {
    FrameDecoder.frame(try JSONEncoder().encode(message))
  }

  /// Throws `DecodingError` for everything that is not a message this version knows; unknown fields are ignored.
  public static func decode<Message: Decodable>(_ type: Message.Type, from payload: [UInt8]) throws -> Message {
    try JSONDecoder().decode(type, from: Data(payload))
  }
}
