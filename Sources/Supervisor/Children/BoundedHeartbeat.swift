import Core

extension Heartbeat {
  /// What comes from another process is gossip: numbers that no sum overflows with, and a text that fits a line.
  var bounded: Heartbeat {
    var copy = self
    let range = 0...1_000_000_000
    copy.busy = min(max(busy, range.lowerBound), range.upperBound)
    copy.slots = min(max(slots, range.lowerBound), range.upperBound)
    copy.queued = min(max(queued, range.lowerBound), range.upperBound)
    copy.recentJobs = min(max(recentJobs, range.lowerBound), range.upperBound)
    copy.lateTicks = min(lateTicks, UInt64(range.upperBound))
    copy.missedTicks = min(missedTicks, UInt64(range.upperBound))
    // Compared and not computed with: a duration that does not fit its own parts ends the process that looks at them.
    let limit = Duration.seconds(10 * 365 * 86400)
    func bound(_ duration: Duration) -> Duration { min(max(duration, .zero), limit) }
    copy.oldestDue = oldestDue.map(bound)
    copy.consumed = bound(consumed)
    copy.capacity = bound(capacity)
    copy.usualLongest = usualLongest.map(bound)
    copy.lastError = lastError.map(StatusText.clip)
    copy.fault = fault.map(StatusText.clip)
    copy.tableFailure = tableFailure.map(StatusText.clip)
    copy.stayedDueExample = stayedDueExample.map(StatusText.clip)
    copy.warnings = warnings.prefix(16).map(StatusText.clip)
    return copy
  }
}
