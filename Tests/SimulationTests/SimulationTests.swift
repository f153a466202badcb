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

  /// What seeds have found, each with its story. That these seeds would find it again is seen by the mutants slotFreedEarly, newcomerForgotten
  /// and unstartedLost (`make mutants`).
  @Test(
    arguments: [
      (26, "a child that was killed between the end of a job and the release of its lock ran it again: its slot was free already"),
      (24, "a new device whose discovery left no trace was not discovered again while its child lived"),
      (37, "a child that was killed between the table's entry and the spawn lost the job: its successor queued it before it was connected"),
    ] as [(UInt64, String)])
  func whatWasFoundStaysMended(seed: UInt64, story: String) {
    let result = Verdict.of(Scenario(seed: seed, duration: .seconds(540), faultCount: 8))
    #expect(result.violation == nil, "\(story): \(result.violation ?? "")")
  }
}
