/// A member of a queue: what to do, for which poller group, and how urgent it is.
public struct QueueItem: Hashable, Sendable {
  /// A device id in decimal, a fixed word, or empty (ping), as the contract's table of queues says.
  public var payload: String
  public var group: Int
  /// Unix time in seconds for ordinary work, so the longest waiting comes first; below, the urgent kinds.
  public var score: Double

  /// Someone waits for it at a keyboard.
  public static let onDemand = 0.0
  /// The first attempt of a device that was never discovered. Later attempts are ordinary, or dead new devices would fill all slots.
  public static let newcomer = 1.0

  public init(payload: String, group: Int, score: Double) {
    self.payload = payload
    self.group = group
    self.score = score
  }
}
