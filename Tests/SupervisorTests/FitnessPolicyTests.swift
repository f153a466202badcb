import Testing

@testable import Supervisor

@Suite struct FitnessPolicyTests {
  private let fit = FitnessPolicy.Observation(isCrashLooping: false, isAway: false, lacksDatabase: false)
  private let blind = FitnessPolicy.Observation(isCrashLooping: false, isAway: false, lacksDatabase: true)

  @Test func aShortFaultDoesNotMoveTheLead() {
    var policy = FitnessPolicy()
    for (second, other) in [(0.0, blind), (4, blind), (4.5, fit), (5, blind)] {
      let changed = policy.observe([fit, other], now: .seconds(second))
      #expect(!changed, "second \(second)")
    }
    #expect(policy.mayLead)
  }

  @Test func aLastingFaultDoesAndALastingRecoveryTakesItBack() {
    var policy = FitnessPolicy()
    for (second, expected) in [(0, false), (4, false), (5, true), (6, false)] {
      let changed = policy.observe([blind], now: .seconds(second))
      #expect(changed == expected, "second \(second)")
    }
    #expect(!policy.mayLead)
    for (second, expected) in [(10, false), (19, false), (20, true)] {
      let changed = policy.observe([fit], now: .seconds(second))
      #expect(changed == expected, "second \(second)")
    }
    #expect(policy.mayLead)
  }

  @Test(arguments: [(true, false, false), (false, true, false), (false, false, true)])
  func eachFaultCounts(crashLooping: Bool, away: Bool, database: Bool) {
    let observation = FitnessPolicy.Observation(isCrashLooping: crashLooping, isAway: away, lacksDatabase: database)
    #expect(!observation.isFit)
  }
}
