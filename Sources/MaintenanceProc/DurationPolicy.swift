/// Judges whether a type's jobs fit into its period.
enum DurationPolicy {
  /// `usualLongest`: 95 of 100 jobs take at most this long; nil = too few jobs to tell.
  static func judge(_ type: String, usualLongest: Duration?, period: Duration) -> Finding {
    let signal: WarningPolicy.Signal
    switch usualLongest {
    case nil: signal = .unclear
    case let longest? where longest > period: signal = .bad
    case let longest? where longest < period * 0.9: signal = .good
    default: signal = .unclear
    }
    let figure = usualLongest.map(seconds) ?? "?"
    let advice: String =
      switch type {
      case "poller": "find the slow devices and modules (poller performance in the web UI), or raise the period together with rrd.step"
      case "discovery", "services": "find the slow devices, or raise the period"
      default: "see what the script waits for, or raise the period"
      }
    return Finding(
      key: "duration \(type)", signal: signal,
      text: """
        \(type): 95 of 100 scripts take up to \(figure) s, longer than the period (service_\(type)_frequency is \(seconds(period)) s), so it can't \
        be kept: \(advice)
        """,
      relief: "\(type): scripts fit into the period again", onset: .seconds(10))
  }

  /// Whole from ten seconds on.
  private static func seconds(_ duration: Duration) -> String {
    let whole = duration.components.seconds
    guard whole < 10 else { return "\(whole)" }
    return "\(((duration / .seconds(1)) * 10).rounded() / 10)".replacing(".0", with: "")
  }
}
