import Core
import Glibc
import Testing

/// What `misc/build/simulate` runs: a lane of many seeds, one seed with its trace, or one mutant until a seed finds it.
@Suite(.enabled(if: getenv("SIMULATE") != nil)) struct SeedRun {
  private static func text(_ name: String) -> String? { getenv(name).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 } }
  private static func number(_ name: String) -> UInt64? { text(name).flatMap { UInt64($0) } }

  private static func scenario(_ seed: UInt64) -> Scenario {
    let hours = text("HOURS").flatMap { Double($0) } ?? 1
    var size: Scenario.Size?
    if let nodes = number("NODES"), let devices = number("DEVICES") { size = Scenario.Size(nodes: Int(nodes), devices: Int(devices)) }
    return Scenario(
      seed: seed, duration: .milliseconds(Int64(hours * 3_600_000)), size: size, faultCount: number("FAULTS").map { Int($0) })
  }

  @Test func seeds() {
    if Self.text("MUTANT") != nil { return }
    if let seed = Self.number("SEED") { return Self.replay(seed) }
    let first = Self.number("FIRST_SEED") ?? 1
    for seed in first..<first + (Self.number("SEEDS") ?? 100) where Self.claims(seed) {
      let verdict = Verdict.of(Self.scenario(seed), digests: false)
      let what = verdict.violation.map { "VIOLATION: \($0)" } ?? "well"
      Self.say("seed \(seed): \(verdict.turns) turns, \(verdict.runs) scripts, \(Int(verdict.virtualTime.inSeconds)) s, \(what)")
    }
  }

  /// Whichever process comes first runs a seed, so that all end at about the same time.
  private static func claims(_ seed: UInt64) -> Bool {
    guard let directory = text("CLAIMS") else { return true }
    let fd = open("\(directory)/\(seed)", O_CREAT | O_EXCL | O_WRONLY, 0o600)
    guard fd >= 0 else { return false }
    close(fd)
    return true
  }

  private static func replay(_ seed: UInt64) {
    var scenario = scenario(seed)
    if text("SHRINK") == "1", Verdict.of(scenario).violation != nil { scenario = Verdict.shrunk(scenario) }
    let verdict = Verdict.of(scenario, keepsTrace: true)
    for line in verdict.lines { print(line) }
    print("\nfaults of seed \(seed):")
    for fault in scenario.activeFaults { print("  \(fault)") }
    say("seed \(seed): \(verdict.violation.map { "VIOLATION: \($0)" } ?? "well")")
  }

  private static func say(_ line: String) {
    print(line)
    fflush(nil)
  }

  #if MUTANTS
    @Test func mutants() {
      guard let name = Self.text("MUTANT") else { return }
      if name == "list" { return Mutant.allCases.forEach { Self.say("mutant \($0.rawValue)") } }
      guard let mutant = Mutant(rawValue: name) else { return Self.say("mutant \(name): there is none of that name") }
      for seed in 1...(Self.number("SEEDS") ?? 200) {
        Mutant.active = mutant
        if let violation = Verdict.of(Self.scenario(seed), digests: false).violation {
          // What is found without it too is not its.
          Mutant.active = nil
          guard Verdict.of(Self.scenario(seed), digests: false).violation == nil else { continue }
          return Self.say("mutant \(name): found by seed \(seed): \(violation)")
        }
      }
      Self.say("mutant \(name): NOT FOUND")
    }
  #endif
}
