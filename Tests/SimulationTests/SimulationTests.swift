import Core
import Glibc
import Testing

/// Whole clusters in virtual time: the product's supervisors, children, engines and coordinators, with faults at any event.
@Suite struct SimulationTests {
  @Test(arguments: 1...24 as ClosedRange<UInt64>)
  func aClusterKeepsItsPromises(seed: UInt64) throws {
    let result = try Verdict.of(Scenario(seed: seed, duration: .seconds(300), faultCount: 6))
    #expect(result.violation == nil, "seed \(seed): \(result.violation ?? "")")
  }

  @Test(arguments: [3, 5, 8, 13] as [UInt64])
  func aSeedRunsTheSameEachTime(seed: UInt64) throws {
    let scenario = Scenario(seed: seed, duration: .seconds(120), faultCount: 4)
    #expect(try Verdict.of(scenario).digest == Verdict.of(scenario).digest)
  }
}
