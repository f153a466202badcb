import CHiredis

/// Swift's words as C's argument vectors, and C's replies as Swift's trees.
enum RedisCommandBytes {
  /// False: the connection is gone.
  static func give(_ words: [String], to handle: OpaquePointer) -> Bool {
    let lengths = words.map(\.utf8.count)
    var bytes: [UInt8] = []
    // Never empty, so that an empty word has an address.
    bytes.reserveCapacity(lengths.reduce(1, +))
    for word in words { bytes.append(contentsOf: word.utf8) }
    bytes.append(0)
    return bytes.withUnsafeBytes { buffer in
      lengths.withUnsafeBufferPointer { lengths in
        withUnsafeTemporaryAllocation(of: UnsafePointer<CChar>?.self, capacity: words.count) { pointers in
          var offset = 0
          for (index, length) in lengths.enumerated() {
            pointers.initializeElement(at: index, to: buffer.baseAddress?.advanced(by: offset).assumingMemoryBound(to: CChar.self))
            offset += length
          }
          guard let first = pointers.baseAddress, let length = lengths.baseAddress else { return false }
          return chiredis_command(handle, Int32(words.count), first, length) == 0
        }
      }
    }
  }
}

extension RedisReply {
  init(_ reply: OpaquePointer) {
    switch UInt32(chiredis_reply_type(reply)) {
    case CHIREDIS_STRING.rawValue, CHIREDIS_STATUS.rawValue: self = .text(Self.text(reply))
    case CHIREDIS_INTEGER.rawValue: self = .integer(chiredis_reply_integer(reply))
    case CHIREDIS_ERROR.rawValue: self = .error(RedisError(server: Self.text(reply)))
    case CHIREDIS_ARRAY.rawValue:
      self = .array((0..<chiredis_reply_count(reply)).map { chiredis_reply_element(reply, $0).map { RedisReply($0) } ?? .null })
    default: self = .null
    }
  }

  private static func text(_ reply: OpaquePointer) -> String {
    var length = 0
    guard let bytes = chiredis_reply_bytes(reply, &length) else { return "" }
    return UnsafeRawBufferPointer(start: bytes, count: length).withMemoryRebound(to: UInt8.self) { String(decoding: $0, as: UTF8.self) }
  }
}
