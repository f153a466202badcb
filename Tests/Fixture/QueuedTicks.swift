/// The ticks that services say in their logs of level DEBUG that they queued, each by the moment that it is for: whose run comes late, on a
/// machine that has other things to do, is known by that all the same.
public struct QueuedTicks {
  /// Seconds since the epoch, in the order of time.
  public let boundaries: [Int]
  private let rule: String
  private let period: Int

  /// `rule`: the words before "of" in the line. `logs`: of all nodes that share the clock.
  public init(_ rule: String, period: Int, in logs: String...) {
    self.init(rule, period: period, in: logs)
  }

  public init(_ rule: String, period: Int, in logs: [String]) {
    (self.rule, self.period) = (rule, period)
    boundaries = logs.flatMap { $0.split(separator: "\n") }.compactMap { line -> Int? in
      guard line.contains(" ms, queued in "), let words = line.split(separator: " DEBUG: \(rule) of ").dropFirst().first else { return nil }
      return Int(words.prefix { $0 != ":" })
    }.sorted()
  }

  /// How many moments between the first and the last one were not queued.
  public var skipped: Int {
    guard let first = boundaries.first, let last = boundaries.last else { return 0 }
    return (last - first) / period + 1 - Set(boundaries).count
  }

  /// What is wrong: a tick queued twice, or more of them skipped than `maySkip`; a run without a tick of its own; a tick up to the moment `end`
  /// without a run that follows it within `patience`. `runs`: all from the begin of the logs on.
  public func faults(_ runs: [ScriptRun], until end: Double, maySkip: Int = 0, patience: Double = 8) -> [String] {
    var faults: [String] = []
    let starts = runs.map(\.start).sorted()
    if boundaries.isEmpty { faults.append("no tick was queued") }
    for (one, next) in zip(boundaries, boundaries.dropFirst()) where one == next { faults.append("\(rule) of \(one) was queued twice") }
    for boundary in boundaries where boundary % period != 0 { faults.append("\(rule) of \(boundary) is no tick of \(period) s") }
    if skipped > maySkip { faults.append("\(rule): \(skipped) of the ticks \(boundaries) were skipped") }
    if starts.count > boundaries.count { faults.append("\(rule): \(starts.count) runs of \(boundaries.count) ticks") }
    for (start, boundary) in zip(starts, boundaries) where start < Double(boundary) {
      faults.append("\(rule): the run at \(start) had no tick of its own, \(boundary) was still to come")
    }
    for boundary in boundaries where Double(boundary) <= end {
      let isRun = starts.contains { $0 >= Double(boundary) && $0 <= Double(boundary) + patience }
      if !isRun { faults.append("\(rule) of \(boundary) was not run within \(patience) s") }
    }
    return faults
  }
}
