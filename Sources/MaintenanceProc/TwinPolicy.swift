/// Whether another service reports under this node's id: between two of our reports the row's time was changed.
struct TwinPolicy: Equatable {
  /// Once may be a successor that began while its predecessor's last report was on its way.
  static let proof = 2
  static let repetition = Duration.seconds(3600)

  private var last: String?
  private var seen = 0
  private var saidAt: Duration?

  /// A report failed, and it is not known how much of it was written.
  mutating func failed() { last = nil }

  /// `before`: the row's time before our report, `after`: ours. True: it is to be said now.
  mutating func wrote(before: String?, after: String, at now: Duration) -> Bool {
    defer { last = after }
    guard let last, let before, before != last else { return false }
    seen += 1
    guard seen >= Self.proof, saidAt.map({ now - $0 >= Self.repetition }) ?? true else { return false }
    saidAt = now
    return true
  }
}
