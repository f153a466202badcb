import JobKit
import Testing

@Suite struct ExitCodePolicyTests {
  typealias Policy = ExitCodePolicy

  struct Case: CustomTestStringConvertible, Sendable {
    var kind: String
    var ending: Policy.Ending
    var outcome: Policy.Outcome
    var hold: Policy.Hold
    var severity: Policy.Severity
    var testDescription: String { "\(kind) \(ending)" }
  }

  static let kinds: [String: Policy.Kind] = [
    "poller": .device(downCodes: [6]), "discovery.php": .device(downCodes: [5, 6]), "services": .services(downCodes: [5, 6]),
    "ping": .ping, "alerting": .alerting, "billing": .report,
  ]

  static let table: [Case] = [
    Case(kind: "poller", ending: .exited(0), outcome: .done, hold: .release, severity: .none),
    Case(kind: "poller", ending: .exited(6), outcome: .down, hold: .keep(.seconds(60)), severity: .debug),
    Case(kind: "poller", ending: .exited(5), outcome: .failed, hold: .keep(.seconds(10)), severity: .error),
    Case(kind: "poller", ending: .exited(255), outcome: .failed, hold: .keep(.seconds(10)), severity: .error),
    Case(kind: "poller", ending: .timedOut, outcome: .failed, hold: .keep(.seconds(10)), severity: .error),
    Case(kind: "poller", ending: .signalled(9), outcome: .failed, hold: .keep(.seconds(10)), severity: .error),
    Case(kind: "poller", ending: .notStarted, outcome: .failed, hold: .keep(.seconds(10)), severity: .error),
    Case(kind: "poller", ending: .unseenDone, outcome: .done, hold: .release, severity: .none),
    Case(kind: "poller", ending: .unseenDown, outcome: .down, hold: .keep(.seconds(60)), severity: .debug),
    Case(kind: "poller", ending: .unseenLost, outcome: .failed, hold: .release, severity: .warning),
    Case(kind: "poller", ending: .stopped, outcome: .cut, hold: .release, severity: .debug),
    Case(kind: "services", ending: .stopped, outcome: .cut, hold: .release, severity: .debug),
    Case(kind: "alerting", ending: .stopped, outcome: .cut, hold: .release, severity: .debug),
    Case(kind: "ping", ending: .unseen, outcome: .done, hold: .release, severity: .none),
    Case(kind: "discovery.php", ending: .exited(5), outcome: .down, hold: .keep(.seconds(60)), severity: .debug),
    Case(kind: "services", ending: .exited(0), outcome: .done, hold: .release, severity: .none),
    Case(kind: "services", ending: .exited(5), outcome: .down, hold: .keep(.seconds(60)), severity: .debug),
    Case(kind: "services", ending: .exited(1), outcome: .failed, hold: .untilFrequency, severity: .warning),
    Case(kind: "ping", ending: .exited(6), outcome: .failed, hold: .release, severity: .warning),
    Case(kind: "ping", ending: .timedOut, outcome: .failed, hold: .release, severity: .warning),
    Case(kind: "alerting", ending: .exited(1), outcome: .failed, hold: .release, severity: .warning),
    Case(kind: "alerting", ending: .exited(2), outcome: .failed, hold: .release, severity: .error),
    Case(kind: "alerting", ending: .signalled(15), outcome: .failed, hold: .release, severity: .error),
    Case(kind: "billing", ending: .exited(1), outcome: .failed, hold: .release, severity: .warning),
    Case(kind: "billing", ending: .timedOut, outcome: .failed, hold: .release, severity: .error),
  ]

  @Test(arguments: table) func everyEndHasTheVerdictOfTheContract(_ entry: Case) throws {
    let kind = try #require(Self.kinds[entry.kind])
    let verdict = Policy.verdict(kind, entry.ending, failures: 0, downRetry: .seconds(60), frequency: .seconds(300))
    #expect(verdict == Policy.Verdict(outcome: entry.outcome, hold: entry.hold, severity: entry.severity))
  }

  @Test func failuresInARowDoubleTheHoldUpToTheFrequency() {
    let holds = (0..<8).map {
      Policy.verdict(.device(downCodes: [6]), .exited(1), failures: $0, downRetry: .seconds(60), frequency: .seconds(300)).hold
    }
    #expect(holds == [10, 20, 40, 80, 160, 300, 300, 300].map { .keep(.seconds($0)) })
    let huge = Policy.verdict(.device(downCodes: [6]), .exited(1), failures: .max, downRetry: .zero, frequency: .seconds(86400)).hold
    #expect(huge == .keep(.seconds(86400)))
  }
}
