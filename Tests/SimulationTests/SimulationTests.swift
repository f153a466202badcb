import Core
import Glibc
import Testing

/// Whole clusters in virtual time: the product's supervisors, children, engines and coordinators, with faults at any event.
@Suite struct SimulationTests {
  @Test(arguments: 1...24 as ClosedRange<UInt64>)
  func aClusterKeepsItsPromises(seed: UInt64) {
    let result = Verdict.of(Scenario(seed: seed, duration: .seconds(300), faultCount: 6))
    #expect(result.violation == nil, "seed \(seed): \(result.violation ?? "")")
  }

  @Test(arguments: 31...50 as ClosedRange<UInt64>)
  func aSeedRunsTheSameEachTime(seed: UInt64) {
    let scenario = Scenario(seed: seed, duration: .seconds(90), faultCount: 6)
    #expect(Verdict.of(scenario, heals: false).digest == Verdict.of(scenario, heals: false).digest)
  }

  /// What seeds have found, each with its story.
  @Test(
    arguments: [
      (49, "a child that was killed between the end of a ping and the release of its lock ran the group again: its slot was free already"),
      (98, "the same with billing, by another node"),
    ] as [(UInt64, String)])
  func whatWasFoundStaysMended(seed: UInt64, story: String) {
    let result = Verdict.of(Scenario(seed: seed, duration: .seconds(540), faultCount: 8))
    #expect(result.violation == nil, "\(story): \(result.violation ?? "")")
  }
}
