import Core
import Glibc
import Testing

/// `make sim`: as many seeds as are asked for, each a world of its own, on all processors. The last line is the verdict.
@Suite struct SeedRun {
  private static func number(_ name: String) -> Int? { getenv(name).flatMap { Int(String(cString: $0)) } }

  @Test(.enabled(if: getenv("SIMULATE") != nil))
  func seeds() throws {
    let hours = getenv("HOURS").flatMap { Double(String(cString: $0)) } ?? 1
    let duration = Duration.milliseconds(Int64(hours * 3_600_000))
    if let seed = Self.number("SEED") { return try Self.replay(UInt64(seed), duration) }
    let faults = Self.number("FAULTS")
    let first = UInt64(Self.number("FIRST_SEED") ?? 1)
    let count = UInt64(Self.number("SEEDS") ?? 100)
    let (lane, lanes) = (UInt64(Self.number("LANE") ?? 0), UInt64(Self.number("LANES") ?? 1))
    for seed in first..<first + count where seed % lanes == lane {
      let begin = MonotonicTime.now
      let verdict = try Verdict.of(Scenario(seed: seed, duration: duration, faultCount: faults))
      let took = (MonotonicTime.now - begin).inSeconds
      print(
        "seed \(seed): \(verdict.turns) turns, \(verdict.runs) scripts, \(Int(verdict.virtualTime.inSeconds)) s in \((took * 100).rounded() / 100) s\(verdict.violation.map { ": VIOLATION: \($0)" } ?? "")"
      )
      fflush(nil)
    }
  }

  private static func replay(_ seed: UInt64, _ duration: Duration) throws {
    var scenario = Scenario(seed: seed, duration: duration, faultCount: number("FAULTS"))
    if getenv("SHRINK") != nil { scenario = try Verdict.shrunk(scenario) }
    let verdict = try Verdict.of(scenario, keepsTrace: true)
    for line in verdict.lines { print(line) }
    print("faults: \(scenario.activeFaults.map(\.description).joined(separator: "\n  "))")
    print("seed \(seed): \(verdict.violation.map { "VIOLATION: \($0)" } ?? "no violation")")
  }
}
