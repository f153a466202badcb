import Core
import JobKit
import Testing

@testable import MaintenanceProc

@Suite struct NodeReportRowTests {
  private func settings(_ change: (inout Settings) -> Void = { _ in }) -> Settings {
    var settings = Settings(base: "/opt/librenms", nodeID: "a", pollerName: "a")
    settings.groups = [0, 3]
    change(&settings)
    return settings
  }

  private func beats(_ change: (inout [TaskType: Heartbeat]) -> Void = { _ in }) -> [TaskType: Heartbeat] {
    var beat = Heartbeat()
    beat.queued = 7
    beat.recentJobs = 40
    beat.consumed = .milliseconds(81_500)
    var beats = Dictionary(uniqueKeysWithValues: NodeReport.types.map { ($0, beat) })
    change(&beats)
    return beats
  }

  @Test func allSixTypesHaveARow() {
    let report = NodeReport(settings { $0[.ping].enabled = true }, isMaster: true, heartbeats: beats())
    #expect(Set(report.rows.map(\.type.rawValue)) == ["poller", "discovery", "services", "ping", "billing", "alerting"])
    #expect(report.groups == "0,3" && report.isMaster && report.staleMasterAge == .seconds(40))
    let poller = report.rows.first { $0.type == .poller }
    #expect(poller == NodeReport.TypeRow(type: .poller, depth: 7, jobs: 40, seconds: 81.5, workers: 24, frequency: 300))
  }

  /// As the Python service reports: alerting 1, billing 2, ping 1, whatever a setting may say.
  @Test(arguments: [(TaskType.alerting, 1), (.billing, 2), (.ping, 1), (.poller, 9), (.discovery, 9), (.services, 9)])
  func workersAreReportedAsPythonDoes(type: TaskType, workers: Int) {
    let settings = settings { settings in for type in TaskType.allCases { settings[type].workers = 9 } }
    #expect(NodeReport(settings, isMaster: false, heartbeats: beats()).rows.first { $0.type == type }?.workers == workers)
  }

  @Test func aTypeThatCantBeAskedIsSkippedAndOneThatIsOffHasNothing() {
    let beats = beats {
      $0[.poller] = nil
      $0[.services]?.queueIsKnown = false
      $0[.ping] = nil
    }
    let alone = NodeReport(settings(), isMaster: true, heartbeats: beats)
    #expect(!alone.rows.contains { $0.type == .poller || $0.type == .services }, "no figure is better than a wrong zero")
    let ping = alone.rows.first { $0.type == .ping }
    #expect(ping.map { $0.depth == 0 && $0.jobs == 0 && $0.seconds == 0 && $0.workers == 1 && $0.frequency == 60 } == true)
    // In a cluster the child of a disabled type runs too, and knows the queue of the node's groups.
    let clustered = NodeReport(settings { $0.isClustered = true }, isMaster: false, heartbeats: beats)
    #expect(!clustered.rows.contains { $0.type == .ping })
    #expect(clustered.staleMasterAge == nil, "only a master clears others")
  }

  @Test func nonsenseFromAChildBecomesNoNegativeNumber() {
    let beats = beats {
      $0[.poller]?.queued = -1
      $0[.poller]?.consumed = .seconds(-5)
      $0[.poller]?.recentJobs = -3
    }
    let poller = NodeReport(settings(), isMaster: true, heartbeats: beats).rows.first { $0.type == .poller }
    #expect(poller.map { $0.depth == 0 && $0.jobs == 0 && $0.seconds == 0 } == true)
  }
}

@Suite struct TwinPolicyTests {
  @Test func aSecondWriterIsSaidOnceItIsCertainAndThenHourly() {
    var policy = TwinPolicy()
    func write(_ before: String?, _ after: String, _ minutes: Int) -> Bool {
      policy.wrote(before: before, after: after, at: .seconds(minutes * 60))
    }
    let said = [
      write(nil, "1", 0), write("1", "2", 1), write("2x", "3", 2), write("3", "4", 3), write("4x", "5", 4), write("5x", "6", 5),
      write("6x", "7", 63), write("7x", "8", 65),
    ]
    #expect(said == [false, false, false, false, true, false, false, true])
  }

  @Test func aRowThatVanishedIsNoTwin() {
    var policy = TwinPolicy()
    for minute in 0..<10 {
      let said = policy.wrote(before: nil, after: "\(minute)", at: .seconds(minute))
      #expect(!said)
    }
  }
}
