import FoundationEssentials

/// What a frame from a child is.
public enum UpwardMessage: Equatable {
  case known(Upward)
  /// A message of a newer child, to be logged and dropped.
  case unknown(String)
  /// Not a message at all.
  case garbage(String)

  private static let names: Set<String> = ["hello", "ready", "heartbeat", "configRejected", "enqueued", "locks", "reloadWanted"]

  public static func read(_ frame: [UInt8]) -> UpwardMessage {
    do {
      return .known(try MessageCodec.decode(Upward.self, from: frame))
    } catch {
      guard let keys = try? JSONDecoder().decode([String: Ignored].self, from: Data(frame)).keys, keys.count == 1, let name = keys.first
      else { return .garbage("a frame of \(frame.count) bytes that is not a message") }
      return names.contains(name) ? .garbage("a malformed '\(name)'") : .unknown(String(name.prefix(40)))
    }
  }

  /// Any JSON value, unread.
  private struct Ignored: Decodable {
    init(from decoder: any Decoder) throws {}
  }
}
