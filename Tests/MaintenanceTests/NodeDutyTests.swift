import Core
import Database
import Logging
import Simulation
import Testing

import class Fixture.LogLines

@testable import JobKit
@testable import MaintenanceProc

/// What the maintenance child does for its node, hour after hour, on a virtual loop with a simulated database.
@Suite struct NodeDutyTests {
  private let node = DutyScene()

  @Test func theNodeReportsAtOnceAndEachHalfMinute() {
    #expect(node.row == nil)
    node.turn(for: .seconds(3))
    #expect(node.row?.master == 1 && node.row?.groups == "0" && node.row?.name == "node")
    var oldest: Int64 = 0
    for _ in 0..<600 {
      node.turn(for: .seconds(1))
      oldest = max(oldest, node.server.now - (node.row?.lastReport ?? 0))
    }
    #expect((29...32).contains(oldest), "\(oldest)")
    #expect(node.lines == ["info database connected: simulated"])
  }

  @Test func whoLeadsIsToldAtOnceAndClearedAtTheEnd() {
    node.turn(for: .seconds(10))
    node.leads = false
    node.turn(for: .seconds(2))
    #expect(node.row?.master == 0)
    node.leads = true
    node.turn(for: .seconds(2))
    #expect(node.row?.master == 1)
    node.duty.end { node.isEnded = true }
    node.turn(for: .seconds(1))
    #expect(node.isEnded && node.row?.master == 0)
  }

  @Test func aReportThatIsRefusedForMinutesIsSaidInFewLinesAndOnceWhenItIsOver() {
    node.turn(for: .seconds(10))
    node.server.isReadOnly = true
    node.turn(for: .seconds(600))
    node.server.isReadOnly = false
    node.turn(for: .seconds(60))
    let refusals = node.lines.filter { $0.hasPrefix("error can't write the node's report") }
    #expect((1...12).contains(refusals.count) && refusals.allSatisfy { $0.contains("1290") }, "\(node.lines)")
    #expect(node.lines.filter { $0 == "notice the node's report is written again" }.count == 1)
  }

  @Test func anOutageIsTwoLinesAndTheReportFollowsAtOnce() {
    node.turn(for: .seconds(10))
    node.server.goDown()
    node.turn(for: .seconds(300))
    node.server.comeUp()
    node.turn(for: .seconds(3))
    #expect(node.server.now - (node.row?.lastReport ?? 0) <= 3)
    #expect(node.lines.count == 3, "\(node.lines)")
  }

  @Test func anotherServiceWithTheSameIdIsSaid() {
    node.turn(for: .seconds(10))
    for _ in 0..<8 {
      node.turn(for: .seconds(15))
      node.server.tables.cluster[0].lastReport = node.server.now
    }
    #expect(node.lines.filter { $0.contains("another service reports under the same NODE_ID") }.count == 1, "\(node.lines)")
  }

  @Test func aChangedSettingIsSeenWithinAMinute() {
    node.turn(for: .seconds(120))
    #expect(node.sent.isEmpty)
    node.server.tables.fingerprint = "2"
    node.turn(for: .seconds(51))
    #expect(node.sent.contains { if case .reloadWanted(let reason) = $0 { reason == "a setting was changed" } else { false } })
  }

  @Test func clocksThatDifferAreSaidOnceWhileTheyDoAndOnceWhenTheyAgree() {
    node.turn(for: .seconds(60))
    node.server.clockOffset = .seconds(-30)
    node.turn(for: .seconds(400))
    node.server.clockOffset = .zero
    node.turn(for: .seconds(400))
    let lines = node.lines.filter { $0.contains("clock") }
    #expect(lines.count == 2 && lines.first?.contains("30.0 s behind this host's") == true, "\(node.lines)")
    #expect(lines.last == "notice the clocks of database and host agree again")
  }

  @Test func aGroupThatNobodyPollsIsSaidAndWhoComesForItEndsThat() {
    var device = SimulatedDevice(id: 7, group: 5)
    device.lastDiscovered = node.server.now
    node.server.tables.set(device)
    node.turn(for: .seconds(700))
    #expect(node.lines.filter { $0.contains("no living node polls poller group 5 (1 device)") }.count == 1, "\(node.lines)")
    for _ in 0..<10 {
      node.server.tables.cluster.removeAll { $0.nodeID == "other" }
      node.server.tables.cluster.append(.init(nodeID: "other", name: "other", groups: "5", lastReport: node.server.now))
      node.turn(for: .seconds(60))
    }
    #expect(node.lines.last == "notice every poller group with devices has a node again", "\(node.lines)")
  }

  @Test func anotherMasterOfTheSameGroupsIsSaid() {
    node.turn(for: .seconds(120))
    for _ in 0..<6 {
      var rival = SimulatedClusterRow(nodeID: "rival", name: "rival", groups: "0", lastReport: node.server.now)
      rival.master = 1
      node.server.tables.cluster.removeAll { $0.nodeID == "rival" }
      node.server.tables.cluster.append(rival)
      node.turn(for: .seconds(30))
    }
    #expect(node.lines.contains { $0.contains("rival (NODE_ID rival) reports that it is master") }, "\(node.lines)")
  }

  /// Whatever the server does, the row is fresh again soon after, and the log stays short.
  @Test(arguments: UInt64(1)...10) func afterAnHourOfFaultsEverythingIsAsItShouldBe(_ seed: UInt64) {
    let node = DutyScene(seed: seed)
    var dice = SeededGenerator(seed: seed)
    node.server.transientErrors = 0.05
    for _ in 0..<360 {
      switch Int.random(in: 0..<30, using: &dice) {
      case 0: node.server.goDown()
      case 1: node.server.freeze()
      case 2: node.server.cutConnections()
      case 3: node.server.isReadOnly.toggle()
      case 4: node.server.addGarbage(3, using: &dice)
      case 5: node.leads.toggle()
      case 6...12:
        node.server.comeUp()
        node.server.thaw()
      default: break
      }
      node.turn(for: .seconds(10))
    }
    node.server.comeUp()
    node.server.thaw()
    node.server.isReadOnly = false
    node.server.transientErrors = 0
    node.leads = true
    node.turn(for: .seconds(65))
    #expect(node.row?.master == 1 && node.server.now - (node.row?.lastReport ?? 0) <= 35)
    #expect(node.lines.count < 150, "\(node.lines.count)")
  }
}

/// A node's duty with all its surroundings.
private final class DutyScene {
  let loop: EventLoop
  let server: SimulatedDatabase
  let client: DatabaseClient
  private(set) var duty: NodeDuty
  private let log = LogLines()
  var leads: Bool {
    get { state.leads }
    set { state.leads = newValue }
  }
  var isEnded = false
  var sent: [Upward] { state.sent }
  private let state = State()

  private final class State {
    var leads = true
    var sent: [Upward] = []
  }

  init(seed: UInt64 = 1) {
    loop = EventLoop(poller: SimulatedPoller(), generator: SeededGenerator(seed: seed))
    server = SimulatedDatabase(loop: loop)
    let logger = Logger(label: "test") { [log] _ in log }
    client = server.client(log: logger)
    var settings = Settings(base: "/opt/librenms", nodeID: "n", pollerName: "node")
    settings.fingerprint = server.tables.fingerprint
    let state = state
    duty = NodeDuty(
      ChildDutySurroundings(
        settings: settings, loop: loop, sql: client, log: logger, leads: { state.leads }, machineLoad: { 0.1 },
        send: { state.sent.append($0) }))
  }

  var row: SimulatedClusterRow? { server.tables.cluster.first { $0.nodeID == "n" } }
  var lines: [String] { log.all }

  /// The child turns each second.
  func turn(for time: Duration) {
    let end = loop.now + time
    while loop.now < end {
      let next = min(end, loop.now + .seconds(1))
      while loop.now < next { do { try loop.turn(limit: next - loop.now) } catch { preconditionFailure("\(error)") } }
      client.look(at: loop.now)
      duty.turn(at: loop.now)
    }
  }
}
