import Core
import Testing

@testable import MaintenanceProc

/// Another node that says that it leads, while this one does. The master's lock lives 20 s here.
@Suite struct RivalPolicyTests {
  private func row(_ age: Int, groups: String = "0", isMaster: Bool = true, node: String = "b") -> RivalPolicy.Row {
    .init(node: node, name: "other", groups: PollerGroupList.parse(groups) ?? [0], isMaster: isMaster, age: .seconds(age))
  }

  private func look(
    _ policy: inout RivalPolicy, _ rows: [RivalPolicy.Row], groups: [Int] = [0], isClustered: Bool = true, at now: Int
  ) -> Finding {
    policy.leads(
      rows, groups: groups, isClustered: isClustered, masterTimeout: .seconds(20), period: .seconds(300), at: .seconds(1000 + now))
  }

  @Test(
    arguments: [
      // Moment since we lead, age of the report: it has to be written after 40 s.
      (0, 0, .good), (30, 0, .good), (40, 0, .good), (41, 0, .bad), (60, 19, .bad), (60, 20, .good), (300, 290, .good), (300, 250, .bad),
    ] as [(Int, Int, WarningPolicy.Signal)])
  func aReportCountsThatWasWrittenLongAfterTheLeadBegan(moment: Int, age: Int, signal: WarningPolicy.Signal) {
    var policy = RivalPolicy()
    _ = look(&policy, [], at: 0)
    #expect(look(&policy, [row(age)], at: moment).signal == signal)
  }

  @Test(
    arguments: [
      ("0", true, .bad), ("0, 7", true, .bad), ("7", true, .good), ("3", true, .bad), ("3", false, .good), ("what", false, .bad),
    ] as [(String, Bool, WarningPolicy.Signal)])
  func onlyGroupsThatAreServedHereAreDoubled(groups: String, isClustered: Bool, signal: WarningPolicy.Signal) {
    var policy = RivalPolicy()
    _ = look(&policy, [], at: 0)
    // Node c works with us if we are a cluster, and serves group 3.
    let rows = [row(1, groups: groups), row(1, groups: "3", isMaster: false, node: "c")]
    #expect(look(&policy, rows, isClustered: isClustered, at: 100).signal == signal)
  }

  @Test func aNodeThatFollowsIsNoRivalAndAClaimIsForgottenAfterTwoPeriods() {
    var policy = RivalPolicy()
    _ = look(&policy, [], at: 0)
    #expect(look(&policy, [row(1, isMaster: false)], at: 100).signal == .good)
    #expect(look(&policy, [row(1)], at: 100).signal == .bad)
    // A leader's report clears what a Python node said; it says it again each period.
    #expect(look(&policy, [row(30, isMaster: false)], at: 130).signal == .bad)
    #expect(look(&policy, [], at: 698).signal == .bad)
    #expect(look(&policy, [], at: 700).signal == .good)
  }

  @Test func aLeadThatWasLostBeginsAnew() {
    var policy = RivalPolicy()
    _ = look(&policy, [], at: 0)
    #expect(look(&policy, [row(1)], at: 100).signal == .bad)
    policy.follows()
    // It led while we did not.
    #expect(look(&policy, [row(1)], at: 130).signal == .good)
    #expect(look(&policy, [row(31)], at: 160).signal == .good)
    #expect(look(&policy, [row(1)], at: 172).signal == .bad)
  }

  @Test func theNodeAndTheLikelyCauseAreNamed() {
    for isClustered in [true, false] {
      var policy = RivalPolicy()
      _ = look(&policy, [], isClustered: isClustered, at: 0)
      let text = look(&policy, [row(1)], isClustered: isClustered, at: 100).text
      for part in ["other (NODE_ID b)", "polled twice", "distributed_poller", "REDIS_", isClustered ? "restart it" : "works alone"] {
        #expect(text.contains(part), "\(text)")
      }
    }
  }
}
