import Core
import Logging

/// Keeps further scripts from starting while the memory is nearly full; those that run are never touched.
struct MemoryGate {
  /// Scripts grow for seconds after their start, so a closer look would see no more.
  private static let interval = Duration.seconds(1)

  private var outages: OutageLog
  private let read: () -> MemoryReading?
  private var policy: MemoryGatePolicy
  private var lookedAt: MonotonicTime?

  /// `read`: how full the memory is now; nil = not known.
  init(threshold: Int?, log: Logger, read: @escaping () -> MemoryReading?) {
    policy = MemoryGatePolicy(threshold: threshold)
    self.read = read
    outages = OutageLog("the room in memory", log: log, back: .notice)
  }

  var isOpen: Bool { policy.isOpen }

  mutating func change(threshold: Int?) {
    policy.change(threshold: threshold)
    lookedAt = nil
  }

  func allowed(_ slots: Int) -> Int { policy.allowed(slots) }

  /// Looks again when the last look is old. To be called before work is taken and, while it is closed, about every second.
  mutating func look(at now: MonotonicTime) {
    guard lookedAt.map({ now - $0 >= Self.interval }) ?? true else { return }
    lookedAt = now
    outages.look(at: now)
    guard policy.threshold != nil || !policy.isOpen else { return }
    let reading = policy.threshold == nil ? nil : read()
    let share = reading.map { "\(Int($0.used)) % of the memory of \($0.place)" } ?? "an unknown part of the memory"
    switch policy.observe(used: reading?.used) {
    case nil: break
    case .closed:
      outages.away(
        "\(share) is in use: scripts start one at a time until it is \(Int(policy.resume)) % (DISPATCHER_MEMORY_PRESSURE_PERCENT=\(policy.threshold ?? 0)); fewer workers, or more memory, would help",
        at: now
      )
    case .opened: outages.back("\(share) is in use: all workers may start scripts again", at: now)
    }
  }
}
