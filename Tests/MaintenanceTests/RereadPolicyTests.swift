import Database
import Testing

@testable import MaintenanceProc

@Suite struct RereadPolicyTests {
  @Test func aChangeIsReadEachTimeAndASettledReadingStays() {
    var policy = RereadPolicy()
    for _ in 0..<20 { #expect(policy.reason(known: "a", isSettled: true, found: "a") == nil) }
    for _ in 0..<20 { #expect(policy.reason(known: "a", isSettled: true, found: "b") == "a setting was changed") }
    for _ in 0..<20 { #expect(policy.reason(known: "a", isSettled: false, found: "b") == "a setting was changed") }
  }

  @Test func anOldDumpIsReadAgainForAsLongAsACacheLivesAndThenIsMeantSo() {
    var policy = RereadPolicy()
    func readings(_ found: String) -> Int {
      (0..<50).count { _ in policy.reason(known: found, isSettled: false, found: found) != nil }
    }
    #expect(readings("a") == RereadPolicy.rereadings)
    // The hourly reading finds the same difference: nothing new.
    #expect(policy.reason(known: "a", isSettled: true, found: "a") == nil)
    #expect(readings("a") == 0)
    #expect(readings("b") == RereadPolicy.rereadings)
  }

  @Test(arguments: ["", "1|2", "~", "-|0/0|~"]) func theMarkOfAnUnsettledReadingComesOffAgain(text: String) {
    let parts = SourceFingerprint.parts(SourceFingerprint.unsettled(text))
    #expect(parts.fingerprint == text && !parts.isSettled)
  }

  @Test func afterSevenReadingsALibreNMSCacheHasLapsed() { #expect(RereadPolicy.rereadings * 50 > 300) }
}
