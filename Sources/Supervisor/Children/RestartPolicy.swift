/// When a child that died may start again.
///
/// Times are readings of the boot clock as time since boot. The caller throws the dice, so that the policy stays a function.
struct RestartPolicy: Equatable, Sendable {
  struct Verdict: Equatable, Sendable {
    var delay: Duration
    /// Five deaths in 300 s; said loudly, but never given up, since the cause may go away by itself.
    var crashLooping: Bool
  }

  static let longestDelay = Duration.seconds(60)
  static let crashLoopDeaths = 5
  static let crashLoopWindow = Duration.seconds(300)
  /// A death before `ready` is structural (a missing library, a bad build): the next try will most likely end the same, so it starts at 2^3 s.
  static let structuralStep = 3
  /// The first step whose delay is the longest: 2^6 s is over 60 s.
  private static let lastStep = 6

  /// How long a child must have been ready for its death to count as an accident: the next one starts at once.
  let healthyThreshold: Duration
  private var step = 0
  private var deaths: [Duration] = []

  init(healthyThreshold: Duration = .seconds(60)) {
    self.healthyThreshold = healthyThreshold
  }

  /// The child died at `now`; `readySince` is nil if it never became ready. `dice` from 0 to 1 spreads the delay by up to 20 %, so that
  /// children which died together don't come back together.
  mutating func died(now: Duration, readySince: Duration?, dice: Double) -> Verdict {
    deaths.append(now)
    let wasHealthy = readySince.map { now - $0 >= healthyThreshold } ?? false
    if wasHealthy {
      step = 0
      return Verdict(delay: .zero, crashLooping: isCrashLooping(now: now))
    }
    if readySince == nil { step = max(step, Self.structuralStep) }
    let base = min(Duration.seconds(1 << step), Self.longestDelay)
    step = min(step + 1, Self.lastStep)
    let jitter = base * (0.2 * min(max(dice.isNaN ? 0 : dice, 0), 1))
    let verdict = Verdict(delay: base + jitter, crashLooping: isCrashLooping(now: now))
    if deaths.count > 4 * Self.crashLoopDeaths { deaths.removeFirst(deaths.count - Self.crashLoopDeaths) }
    return verdict
  }

  func isCrashLooping(now: Duration) -> Bool {
    deaths.suffix(Self.crashLoopDeaths).filter { now - $0 <= Self.crashLoopWindow }.count >= Self.crashLoopDeaths
  }

  /// A new configuration is a new chance.
  mutating func forget() {
    step = 0
    deaths = []
  }
}
