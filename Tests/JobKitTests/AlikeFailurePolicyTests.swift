import Testing

@testable import JobKit

@Suite struct AlikeFailurePolicyTests {
  private func failed(_ policy: inout AlikeFailurePolicy, _ code: Int32, _ device: Int, _ output: String = "", at second: Int) -> [String]?
  {
    policy.failed(code, "\(device)", output: output, period: .seconds(300), at: .seconds(second))?.payloads
  }

  @Test func threeDevicesInARowAreAnAlarmAndOneDeviceIsNone() {
    var policy = AlikeFailurePolicy()
    for second in 0..<10 { #expect(failed(&policy, 1, 7, at: second) == nil) }
    #expect(failed(&policy, 1, 8, at: 10) == nil)
    #expect(failed(&policy, 1, 9, at: 11) == ["7", "8", "9"])
    #expect(failed(&policy, 1, 10, at: 12) == nil, "said once")
    #expect(failed(&policy, 1, 11, at: 3611)?.isEmpty == nil, "those of an hour ago are not in a row with it")
  }

  @Test func whatBreaksARow() {
    var policy = AlikeFailurePolicy()
    _ = (failed(&policy, 1, 1, at: 0), failed(&policy, 1, 2, at: 1))
    #expect(failed(&policy, 255, 3, at: 2) == nil, "another code")
    _ = failed(&policy, 255, 4, at: 3)
    #expect(policy.worked() == false)
    #expect(failed(&policy, 255, 5, at: 4) == nil, "a good run between")
    _ = failed(&policy, 255, 6, at: 5)
    #expect(failed(&policy, 255, 7, "SQLSTATE: access denied", at: 6) == nil, "one that says why")
    _ = (failed(&policy, 255, 8, at: 7), failed(&policy, 255, 9, at: 8))
    #expect(failed(&policy, 255, 10, at: 2000) == nil, "long ago")
  }

  @Test func itIsOverWithAGoodRunAndSaidAgainEachHour() {
    var policy = AlikeFailurePolicy()
    var said: [Int] = []
    for second in stride(from: 0, to: 8000, by: 20) where failed(&policy, 1, second / 20 % 5, at: second) != nil { said.append(second) }
    #expect(said == [40, 3640, 7240])
    #expect(policy.isActive)
    #expect(policy.worked() == true)
    #expect(!policy.isActive)
    #expect(policy.worked() == false)
  }

  @Test(arguments: [
    ("", true), ("Starting polling run: 2026-11-26 12:00:00 | lnms 26.7", true), ("Permission denied", false),
    ("PHP Fatal error: x", false), ("Could not connect to database", false), (String(repeating: "chatter ", count: 40), false),
  ])
  func whatExplainsNothing(_ output: String, _ expected: Bool) { #expect(AlikeFailurePolicy.isSilent(output) == expected) }
}
