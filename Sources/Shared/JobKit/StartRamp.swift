/// How many slots may be busy soon after the start: all workers at once on a cold machine would be a stampede of PHP processes.
public enum StartRamp {
  /// Twice a common poller's cores at once, and as many more each second: the default of 24 workers is reached in 3 s.
  public static let step = 8

  /// `elapsed` since the first job was taken. A successor that adopts a full table is not slowed: `adopted` jobs are running already.
  public static func allowed(slots: Int, elapsed: Duration, adopted: Int) -> Int {
    let seconds = max(0, elapsed.components.seconds)
    return min(slots, max(step, adopted) + step * Int(min(seconds, 10_000)))
  }
}
