import Core

/// What became of one seed.
struct Verdict {
  var violation: String?
  var digest: UInt64
  var turns: Int
  var runs: Int
  var virtualTime: Duration
  var lines: [String]

  static func of(_ scenario: Scenario, keepsTrace: Bool = false) throws -> Verdict {
    let world = World(scenario, keepsTrace: keepsTrace)
    let begin = world.clock.now
    try world.live()
    return Verdict(
      violation: world.checkers.violation, digest: world.trace.digest, turns: world.turns, runs: world.checkers.runs,
      virtualTime: world.clock.now - begin, lines: world.trace.lines)
  }

  /// Takes faults away one at a time while it still fails.
  static func shrunk(_ scenario: Scenario) throws -> Scenario {
    var best = scenario
    var isSmaller = true
    while isSmaller {
      isSmaller = false
      for fault in best.active.reversed() {
        var smaller = best
        smaller.active.removeAll { $0 == fault }
        if try of(smaller).violation != nil {
          best = smaller
          isSmaller = true
        }
      }
    }
    return best
  }
}
