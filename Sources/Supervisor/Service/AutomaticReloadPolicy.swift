/// When the configuration is read again though nobody asked for it. Times are readings of the boot clock as time since boot.
struct AutomaticReloadPolicy: Equatable, Sendable {
  /// What the cheap look at the sources does not see (files that config.php includes, say) is in force after this long.
  static let period = Duration.seconds(3600)
  /// A reading costs 0.3 s of CPU for PHP's dump: a child that has gone mad must not make it the node's main work.
  static let leastPause = Duration.seconds(10)

  /// Why it should be read again, from whoever has seen that first.
  private var wish: String?
  private var lastStart: Duration?

  init() {}

  /// A wish that comes during a reading is kept: what changed may have been read before.
  mutating func wanted(_ reason: String) { wish = wish ?? reason }

  /// A reading begins, whoever asked for it.
  mutating func started(now: Duration) {
    wish = nil
    lastStart = now
  }

  /// Why to begin one now; nil = there is no need, or the last one was begun only a moment ago.
  func due(now: Duration) -> String? {
    guard let lastStart, now - lastStart >= Self.leastPause else { return nil }
    return wish ?? (now - lastStart >= Self.period ? "the hourly reading" : nil)
  }
}
