import Core
import JobKit
import Simulation

/// Rows and questions out of a seed: near every boundary that a statement has, and now and then nonsense.
struct RandomTables {
  static let groups = [0, 1, 2, 7, -1]
  static let nodes = ["a", "b", "c", "d"]

  var generator: SeededGenerator
  var now: Int64
  /// The periods of this world, in seconds: most devices are near the end of one.
  private let pollPeriod: Int
  private let discoveryPeriod: Int

  init(seed: UInt64) {
    generator = SeededGenerator(seed: seed)
    now = 1_700_000_000 + Int64.random(in: 0...100_000_000, using: &generator)
    pollPeriod = [60, 300, 999].randomElement(using: &generator) ?? 300
    discoveryPeriod = [60, 300, 21_600].randomElement(using: &generator) ?? 300
  }

  mutating func number(_ range: ClosedRange<Int>) -> Int { .random(in: range, using: &generator) }
  mutating func chance(_ percent: Int) -> Bool { number(1...100) <= percent }
  mutating func pick<Value>(_ values: [Value]) -> Value { values[number(0...values.count - 1)] }

  // MARK: Rows

  mutating func device(_ id: Int64) -> SimulatedDevice {
    var device = SimulatedDevice(id: id, group: pick(Self.groups))
    device.isDisabled = chance(15)
    device.status = pick([0, 1, 1, 1, 2])
    device.lastPolledTaken = taken(pollPeriod)
    device.lastPolled = instant(taken: device.lastPolledTaken ?? 0, period: pollPeriod)
    device.lastDiscoveredTaken = taken(discoveryPeriod)
    device.lastDiscovered = instant(taken: device.lastDiscoveredTaken ?? 0, period: discoveryPeriod)
    device.hasServices = chance(40)
    return device
  }

  private mutating func taken(_ period: Int) -> Double? {
    switch number(1...20) {
    case 1, 2: nil
    case 3: 0
    case 4: pick([1e7, 1e12, 999_999.5])
    // Whole ones meet the boundaries exactly.
    case 5...12: Double(number(0...min(period, 400)))
    default: Double(number(0...400_000)) / 1000
    }
  }

  /// Often within seconds of what the due rules, the check under the lock and the judgement of an unseen end compare with.
  private mutating func instant(taken: Double, period: Int) -> Int64? {
    let whole = Int64(min(taken, 1e6))
    switch number(1...20) {
    case 1, 2: return nil
    case 3: return 0
    case 4: return now + Int64(number(1...4000))
    case 5: return now + 60 + Int64(number(-1...1))
    case 6...9: return now - Int64(period / 2) + whole + Int64(number(-3...3))
    case 10...16: return now - Int64(period) + whole + Int64(number(-8...12))
    default: return now - Int64(number(0...30_000))
    }
  }

  mutating func clusterRow(_ node: String) -> SimulatedClusterRow {
    var row = SimulatedClusterRow(nodeID: node, name: "node-\(node)", groups: groupList(), lastReport: now - Int64(age()))
    row.version = "librenms-dispatcher 1"
    row.master = pick([0, 0, 1, 1, 2])
    row.pollerEnabled = pick([nil, 0, 1])
    row.pollerFrequency = pick([nil, nil, 0, -5, 60, 300])
    row.discoveryFrequency = pick([nil, nil, 0, 300, 21_600])
    for type in TaskType.allCases where chance(30) {
      row.stats[type.rawValue] = .init(depth: number(0...9), devices: number(0...9), workerSeconds: 1.5, workers: 1, frequency: 60)
    }
    return row
  }

  private mutating func groupList() -> String { pick(["0", "0,3", "1, 2", "", "x", "-1", "2,,7", "0 1"]) }

  private mutating func age() -> Int {
    pick([number(0...700), 180 + number(-1...1), 600 + number(-1...1), 40 + number(-1...1), -number(1...5000)])
  }

  mutating func tables(devices: Int64 = 40) -> SimulatedTables {
    var tables = SimulatedTables()
    for id in 1...devices where chance(60) { tables.set(device(id)) }
    for node in Self.nodes where chance(60) { tables.cluster.append(clusterRow(node)) }
    return tables
  }

  // MARK: Questions

  mutating func groupFilter() -> [Int]? { pick([nil, [0], [0, 1], [7, 3], [-1, 2, 0]]) }

  /// One of every kind; the service was started this long before the clock's zero.
  mutating func dueQuestions(startedAt: MonotonicTime) -> [DueQuestion] {
    [
      .polls(
        period: .seconds(pick([1, 2, pollPeriod, pollPeriod, pollPeriod])), lookAhead: .seconds(pick([0, 1, 5])), groups: groupFilter()),
      .discoveries(
        period: .seconds(pick([60, discoveryPeriod, discoveryPeriod])), lookAhead: .seconds(pick([0, 10])), groups: groupFilter(),
        serviceStartedAt: startedAt),
      .allDevices(groups: groupFilter()), .devicesWithServices(groups: groupFilter()), .deviceGroups(groupFilter()),
      .fixed(["daily.sh"], fromServer: chance(50)),
    ]
  }

  mutating func item() -> QueueItem {
    let payload = chance(90) ? String(number(1...40)) : pick(["", "x", "-1", "99999999999"])
    return QueueItem(payload: payload, group: pick(Self.groups), score: pick([QueueItem.onDemand, 1.7e9, 1.7e9, 1.7e9]))
  }

  /// Mostly the right group, or every answer would be about that.
  mutating func item(in tables: SimulatedTables) -> QueueItem {
    var item = item()
    if chance(85), let device = Int64(item.payload).flatMap({ tables[$0] }) { item.group = device.group }
    return item
  }

  mutating func fitnessQuestion(_ tables: SimulatedTables) -> FitnessQuestion {
    let item = item(in: tables)
    if chance(20) { return .presence(item) }
    let time = pick([DeviceTime.polled, .discovered])
    var period = pick([1, 59, pollPeriod, discoveryPeriod])
    if chance(50), let device = Int64(item.payload).flatMap({ tables[$0] }),
      let last = time == .polled ? device.lastPolled : device.lastDiscovered
    {
      // Begun just half of it ago.
      let age = Double(now - last) + ((time == .polled ? device.lastPolledTaken : device.lastDiscoveredTaken) ?? 0)
      if (2...100_000).contains(age) { period = 2 * (Int(age) - 1) + number(-1...1) }
    }
    return .device(item, time: time, period: .seconds(max(1, period)))
  }

  mutating func endQuestion(_ tables: SimulatedTables) -> UnseenEndQuestion {
    let time = pick([DeviceTime.polled, .discovered])
    let item = item()
    var age = Duration.milliseconds(number(0...700_000))
    // At the boundary.
    let device = Int64(item.payload).flatMap { tables[$0] }
    if chance(50), let last = time == .polled ? device?.lastPolled : device?.lastDiscovered, last > now - 1_000_000 {
      age = .seconds(now - last) + .milliseconds(pick([-2000, -1001, -1000, -999, -1, 0, 1, 1000]))
    }
    return UnseenEndQuestion(item, time: time, age: age)
  }

  mutating func clocksQuestion() -> ClocksQuestion {
    let suspects = [(TaskType.poller, DeviceTime.polled), (.discovery, .discovered)].filter { _ in chance(60) }
    return ClocksQuestion(suspects: suspects.map { .init(type: $0.0, device: item().payload, time: $0.1) })
  }

  mutating func coverageQuestion() -> CoverageQuestion {
    CoverageQuestion(nodeID: pick(Self.nodes + ["z"]), period: .seconds(pick([30, 60, 300])))
  }

  mutating func report() -> NodeReport {
    let rows = [TaskType.poller, .discovery, .services, .ping, .billing, .alerting].filter { _ in chance(70) }.map { type in
      NodeReport.TypeRow(
        type: type, depth: number(0...100_000), jobs: number(0...100_000), seconds: Double(number(0...1_000_000)) / 1000,
        workers: number(0...64), frequency: number(1...86_400))
    }
    return NodeReport(
      nodeID: pick(Self.nodes + ["w", "x", "y", "z"]), name: chance(15) ? String(repeating: "n", count: 256) : "name", groups: "0,1",
      version: "librenms-dispatcher 2", isMaster: chance(50), rows: rows, staleMasterAge: chance(60) ? .seconds(pick([40, 20])) : nil)
  }
}
