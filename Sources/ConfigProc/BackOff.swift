/// Waits between attempts: 1, 2, 4 … seconds up to a minute.
struct BackOff: Equatable {
  private var next = Duration.seconds(1)

  static let ceiling = Duration.seconds(60)

  mutating func wait() -> Duration {
    defer { next = min(next * 2, Self.ceiling) }
    return next
  }

  mutating func reset() { next = .seconds(1) }
}
