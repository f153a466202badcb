import Core

/// What became of one seed.
struct Verdict {
  var violation: String?
  var digest: UInt64
  var turns: Int
  var runs: Int
  var virtualTime: Duration
  var lines: [String]

  /// `heals`: false = only as long as there are faults, for what need not come to rest.
  static func of(_ scenario: Scenario, keepsTrace: Bool = false, digests: Bool = true, heals: Bool = true) -> Verdict {
    let world = World(scenario, keepsTrace: keepsTrace, digests: digests)
    let begin = world.clock.now
    world.live(heals: heals)
    return Verdict(
      violation: world.checkers.violation, digest: world.trace.digest, turns: world.turns, runs: world.checkers.runs,
      virtualTime: world.clock.now - begin, lines: world.trace.lines)
  }

  /// The violation without the figures in it: the same fault at another time has the same.
  var kind: String? { violation.map { String($0.filter { !$0.isNumber && $0 != "." }.suffix(40)) } }

  /// Takes faults away one at a time while it still fails in the same way.
  static func shrunk(_ scenario: Scenario) -> Scenario {
    var best = scenario
    let kind = of(scenario).kind
    var isSmaller = true
    while isSmaller {
      isSmaller = false
      for fault in best.active.reversed() {
        var smaller = best
        smaller.active.removeAll { $0 == fault }
        if of(smaller).kind == kind {
          best = smaller
          isSmaller = true
        }
      }
    }
    return best
  }
}
