/// Last value seen of the canary key `librenms.memory`: where it vanishes or changes, the server has lost its data.
struct CanaryKey: Equatable {
  /// What a reading shows.
  struct Finding: Equatable {
    /// Queues and locks are gone since the last reading.
    var isLoss = false
    /// The key is missing: the server was flushed, or restarted without its data, and other nodes have lost the locks of their jobs too.
    var isEmpty = false
  }

  /// nil = absent or not read yet.
  private(set) var value: String?

  /// The first reading on a connection, or again during work.
  mutating func readAtJoin(_ new: String?) -> Finding {
    let before = value
    value = new
    return Finding(isLoss: before != nil && before != new, isEmpty: new == nil)
  }

  /// Each second, by whoever asks for the lead: a server can lose its data without ending any connection, and only one with tracking tells.
  /// Another value is a leader's who has seen the loss before us.
  mutating func readInPassing(_ new: String?) -> Finding {
    guard new != nil || value != nil else { return Finding() }
    return readAtJoin(new)
  }

  mutating func forget() { value = nil }
}
