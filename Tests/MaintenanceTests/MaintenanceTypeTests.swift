import Core
import JobKit
import Testing

@testable import MaintenanceProc

@Suite struct MaintenanceTypeTests {
  private let type = MaintenanceType()
  private func settings(_ change: (inout Settings) -> Void = { _ in }) -> Settings {
    var settings = Settings(base: "/opt/librenms", nodeID: "a", pollerName: "a")
    change(&settings)
    return settings
  }
  private func item(_ payload: String) -> QueueItem { QueueItem(payload: payload, group: 0, score: 1) }

  @Test func commandLinesAreTheContracts() {
    #expect(type.command(item("daily.sh"), settings()) == ScriptCommand("daily.sh", []))
    #expect(type.command(item("daily.sh"), settings { $0.flags.debug = true }) == ScriptCommand("daily.sh", []))
    #expect(
      type.command(item("schedule:run"), settings()) == ScriptCommand("/usr/bin/env", ["php", "/opt/librenms/artisan", "schedule:run"]))
  }

  @Test(arguments: [(true, false, 1), (true, true, 2), (false, true, 1), (false, false, 0)])
  func slotsAreForWhatIsOn(update: Bool, schedule: Bool, slots: Int) {
    let settings = settings {
      $0[.maintenance].enabled = update
      $0.runsSchedule = schedule
    }
    #expect(type.slots(settings) == slots)
    #expect(type.rules(settings, startedAt: .now).map(\.name) == (update ? ["daily.sh"] : []) + (schedule ? ["schedule:run"] : []))
  }

  @Test func onlyTheUpdateIsLockedInTheClusterAndChangesTheConfiguration() {
    #expect(type.clusterLock(item("daily.sh")) == "schema-update" && type.clusterLock(item("schedule:run")) == nil)
    #expect(type.lockName(item("daily.sh")) != type.lockName(item("schedule:run")))
    #expect(type.changesConfiguration(item("daily.sh")) && !type.changesConfiguration(item("schedule:run")))
    #expect(!type.queuesAreShared)
  }

  @Test func nodesSpreadOverTheHourEachAlwaysAtItsOwnMoment() {
    var minutes = Set<Int64>()
    for node in 0..<200 {
      let uuid = NodeIdentity.uuid(Settings(base: "/opt/librenms", nodeID: "node-\(node)", pollerName: "n"))
      let offset = MaintenanceType.offset(node: uuid, within: .seconds(3600))
      #expect(offset >= .zero && offset < .seconds(3600))
      #expect(offset == MaintenanceType.offset(node: uuid, within: .seconds(3600)))
      minutes.insert(offset.components.seconds / 60)
    }
    #expect(minutes.count > 45, "200 nodes in only \(minutes.count) of 60 minutes")
  }

  /// A period below an hour leaves less room; the tick itself stays where it is.
  @Test func theSpreadIsNeverLongerThanThePeriod() {
    for period in [1, 20, 300, 3600, 86400] {
      let settings = settings { $0[.maintenance].frequency = .seconds(period) }
      let rule = type.rules(settings, startedAt: .now).first
      #expect(rule?.trigger == .tick(index: 0, period: .seconds(period)))
      #expect(rule.map { $0.offset < .seconds(min(period, 3600)) && $0.offset >= .zero } == true)
    }
  }
}
