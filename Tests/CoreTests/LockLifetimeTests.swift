import Core
import Testing

@Suite struct LockLifetimeTests {
  private func settings(_ frequency: Int) -> Settings {
    var settings = Settings(base: "/opt/librenms", nodeID: "n", pollerName: "n")
    for type in TaskType.allCases { settings[type].frequency = .seconds(frequency) }
    return settings
  }

  /// Period; what the contract says; what a running job's lock is set to, which is what others may conclude from.
  @Test(arguments: [(0, 1, 60), (20, 20, 60), (59, 59, 60), (61, 61, 61), (300, 300, 300)])
  func aPollersLockIsItsPeriodAndAtLeastAMinuteWhileItRuns(period: Int, contract: Int, held: Int) {
    let settings = settings(period)
    for type in [TaskType.poller, .services, .ping] {
      let lifetime = LockLifetime.contract(type, settings, now: .zero)
      #expect(lifetime == .seconds(contract))
      #expect(LockLifetime.ofRunningJob(contract: lifetime) == .seconds(held))
      #expect(LockLifetime.constant(lock: "\(type.rawValue).device.7", settings) == .seconds(held))
      #expect(LockLifetime.shortest(type, settings) == .seconds(contract), "a child of a short period is missed sooner")
    }
  }

  @Test func aLockOfDiscoveryEndsAtTheTickAndIsNeverShort() {
    let settings = settings(1000)
    #expect(LockLifetime.contract(.discovery, settings, now: .seconds(5300)) == .seconds(700))
    #expect(LockLifetime.contract(.discovery, settings, now: .seconds(5990)) == .seconds(60))
    #expect(LockLifetime.shortest(.discovery, settings) == .seconds(60))
  }

  @Test(arguments: ["dispatch.master", "discovery.device.1", "alerting.alerts", "billing.poll", "schema-update", "poller", ""])
  func timeTellsNothingOfLocksThatAreRenewedOrEndAtATick(name: String) {
    #expect(LockLifetime.constant(lock: name, settings(300)) == nil)
  }
}
