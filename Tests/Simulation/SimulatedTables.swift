import Core
import Database
import JobKit

/// The tables of LibreNMS that a node reads and writes, and what MariaDB answers about them. Without a clock: every answer is given `now`, the
/// server's NOW() in whole seconds since 1970.
///
/// Tests/ConformanceTests holds every answer against a real server. Simpler than there: texts are compared as they are written (a server takes
/// `A` for `a`), equal rows come in the order of their ids, and figures that have no room in their column are no error.
public struct SimulatedTables: Sendable {
  public private(set) var devices: [SimulatedDevice] = []
  private var places: [Int64: Int] = [:]
  /// When the last poll of each device began, in the order of `devices`; infinite for one that is always due, or never.
  private var begins: [Double] = []
  public var cluster: [SimulatedClusterRow] = []
  /// Of tables and files that the configuration comes from; whatever a test says.
  public var fingerprint = "1"
  /// Before these instants nothing is due, as long as no device has changed.
  private var idleUntil: [DueQuestion: Double] = [:]

  public init() {}

  // MARK: Rows

  public subscript(_ id: Int64) -> SimulatedDevice? { places[id].map { devices[$0] } }

  /// Adds or replaces the device.
  public mutating func set(_ device: SimulatedDevice) {
    idleUntil = [:]
    if let place = places[device.id] {
      devices[place] = device
      begins[place] = device.pollBegin
    } else {
      places[device.id] = devices.count
      devices.append(device)
      begins.append(device.pollBegin)
      // Nearly always at the end.
      if devices.count > 1, devices[devices.count - 2].id > device.id { order() }
    }
  }

  public mutating func remove(_ id: Int64) {
    guard places[id] != nil else { return }
    idleUntil = [:]
    devices.removeAll { $0.id == id }
    order()
  }

  private mutating func order() {
    devices.sort { $0.id < $1.id }
    begins = devices.map(\.pollBegin)
    places = [:]
    for (place, device) in devices.enumerated() { places[device.id] = place }
  }

  // MARK: What is due

  /// `serviceAge`: for `discoveries`, in seconds.
  public mutating func due(_ question: DueQuestion, serviceAge: Double, now: Int64) -> [DueJob] {
    switch question {
    case .polls(let period, let lookAhead, let groups):
      if let idle = idleUntil[question], Double(now) < idle { return [] }
      let due = (period - DueQuestion.earliness).inSeconds
      let (jobs, next) = polls(due: due, soon: due - lookAhead.inSeconds, groups, Double(now))
      idleUntil[question] = jobs.isEmpty ? next : nil
      return jobs
    case .discoveries(let period, let lookAhead, let groups, _):
      let due = (period - DueQuestion.earliness).inSeconds
      return discoveries(due: due, soon: due - lookAhead.inSeconds, groups, serviceAge: serviceAge, Double(now))
    case .allDevices(let groups):
      let found = enabled(groups).sorted(by: Self.newcomersFirst)
      return found.map { DueJob(payload: String($0.id), group: $0.group, isNewcomer: $0.lastDiscovered == nil) }
    case .devicesWithServices(let groups):
      return enabled(groups).filter(\.hasServices).map { DueJob(payload: String($0.id), group: $0.group) }
    case .deviceGroups(let groups):
      let found = Set(devices.lazy.map(\.group)).filter { groups?.contains($0) ?? true }
      return found.sorted().map { DueJob(payload: "", group: $0) }
    case .fixed(let payloads, _): return payloads.map { DueJob(payload: $0, group: 0) }
    }
  }

  private func enabled(_ groups: [Int]?) -> [SimulatedDevice] {
    devices.filter { !$0.isDisabled && groups?.contains($0.group) ?? true }
  }

  /// With an instant before which nothing more is due.
  private func polls(due: Double, soon: Double, _ groups: [Int]?, _ now: Double) -> (jobs: [DueJob], next: Double) {
    var next = Double.infinity
    var found: [(device: SimulatedDevice, isEarly: Bool)] = []
    // A second of margin: exact is the look at the row.
    let latest = now - soon + 1
    for place in begins.indices {
      let begin = begins[place]
      guard begin <= latest else {
        next = min(next, begin + soon - 1)
        continue
      }
      let device = devices[place]
      guard groups?.contains(device.group) ?? true else { continue }
      guard let last = device.lastPolled.map({ Double($0) }) else {
        found.append((device, false))
        continue
      }
      // In the order of the statement, since the sums are of doubles.
      let age = (device.lastPolledTaken ?? 0) + now - last
      if age >= soon, last <= now {
        found.append((device, !(age >= due)))
      } else {
        next = min(next, max(last, begin + soon - 1))
      }
    }
    found.sort { Self.longestFirst($0.device, $1.device) }
    return (found.map { DueJob(payload: String($0.device.id), group: $0.device.group, isEarly: $0.isEarly) }, next)
  }

  private func discoveries(due: Double, soon: Double, _ groups: [Int]?, serviceAge: Double, _ now: Double) -> [DueJob] {
    func isOverdue(_ device: SimulatedDevice, _ limit: Double) -> Bool {
      guard let last = device.lastDiscovered else { return true }
      return Double(last) <= now - limit + (device.lastDiscoveredTaken ?? 0)
    }
    let found = devices.filter { device in
      guard !device.isDisabled, groups?.contains(device.group) ?? true else { return false }
      guard device.lastDiscovered != nil else { return true }
      return device.status == 1 && serviceAge >= (device.lastDiscoveredTaken ?? 0) * DueQuestion.restartMargin && isOverdue(device, soon)
    }
    return found.sorted(by: Self.newcomersFirst).map { device in
      DueJob(
        payload: String(device.id), group: device.group, isNewcomer: device.lastDiscovered == nil, isEarly: !isOverdue(device, due))
    }
  }

  /// NULL is the least, so it comes last.
  private static func longestFirst(_ a: SimulatedDevice, _ b: SimulatedDevice) -> Bool {
    let (first, second) = (a.lastPolledTaken ?? -1, b.lastPolledTaken ?? -1)
    return first == second ? a.id < b.id : first > second
  }

  private static func newcomersFirst(_ a: SimulatedDevice, _ b: SimulatedDevice) -> Bool {
    let (first, second) = (a.lastDiscovered == nil, b.lastDiscovered == nil)
    return first == second ? longestFirst(a, b) : first
  }

  // MARK: Single devices

  public func fitness(_ question: FitnessQuestion, now: Int64) -> Fitness {
    let item: QueueItem
    switch question {
    case .presence(let asked): item = asked
    case .device(let asked, _, _): item = asked
    }
    guard let id = Int64(item.payload) else { return .skip("not a device id") }
    guard let device = self[id] else { return .skip("no such device") }
    if device.isDisabled { return .skip("disabled") }
    guard device.group == item.group else { return .skip("now in group \(device.group)") }
    guard case .device(_, let time, let period) = question, item.score != QueueItem.onDemand else { return .run }
    let smallest = min(period, smallestPeriod(time).map { .seconds($0) } ?? period)
    guard let last = device.last(time), last != 0 else { return .run }
    let begun = Double(last) - (device.taken(time) ?? 0)
    let isRecent = begun > Double(now) - (smallest / 2 + FitnessQuestion.grace).inSeconds
    return isRecent ? .skip("\(time.rawValue) is newer than half a period") : .run
  }

  private func smallestPeriod(_ time: DeviceTime) -> Int? {
    cluster.compactMap { time == .polled ? $0.pollerFrequency : $0.discoveryFrequency }.filter { $0 > 0 }.min()
  }

  public func ending(_ question: UnseenEndQuestion, now: Int64) -> ExitCodePolicy.Ending {
    guard let device = Int64(question.payload).flatMap({ self[$0] }) else { return .unseenLost }
    let begin = Double(now) - (question.age + UnseenEndQuestion.grace).inSeconds
    if let last = device.last(question.time), Double(last) >= begin { return .unseenDone }
    return device.status == 0 ? .unseenDown : .unseenLost
  }

  public func devices(_ question: DevicesQuestion) -> [Int64: DevicesQuestion.Device] {
    var found: [Int64: DevicesQuestion.Device] = [:]
    for id in question.ids { found[id] = self[id].map { .init(group: $0.group, isDisabled: $0.isDisabled) } }
    return found
  }

  // MARK: The diagnosis

  /// `clock` is not in the rows.
  public func clocks(_ question: ClocksQuestion, clock: ClockReading?, isReadOnly: Bool, now: Int64) -> ClocksQuestion.Clocks {
    var answer = ClocksQuestion.Clocks(clock: clock, isReadOnly: isReadOnly && !question.suspects.isEmpty)
    let ahead = devices.lazy.filter { !$0.isDisabled }.compactMap { $0.lastPolled.map { $0 - now } }.filter {
      $0 > ClocksQuestion.tolerance.components.seconds
    }
    answer.ahead = min(ahead.count, ClocksQuestion.most)
    answer.furthest = Int(ahead.max() ?? 0)
    for suspect in question.suspects {
      guard let last = Int64(suspect.device).flatMap({ self[$0] })?.last(suspect.time), last != 0 else { continue }
      answer.behind[suspect.type] = Int(now - last)
    }
    return answer
  }

  public func coverage(_ question: CoverageQuestion, now: Int64) -> CoverageQuestion.Coverage {
    let counts = devices.lazy.filter { !$0.isDisabled }.reduce(into: [Int: Int]()) { $0[$1.group, default: 0] += 1 }
    let others = cluster.filter { $0.nodeID != question.nodeID && now - $0.lastReport < question.oldestReport.components.seconds }
    return .init(
      devices: counts,
      others: others.map { .init(groups: PollerGroupList.parse($0.groups) ?? [0], polls: $0.pollerEnabled.map { $0 != 0 }) })
  }

  // MARK: The report

  /// `zone`: the server's own, in seconds east of UTC; `last_report` is a text in it.
  public mutating func write(_ report: NodeReport, now: Int64, zone: Int) throws(DatabaseError) -> NodeReport.Written {
    let known = cluster.firstIndex { $0.nodeID == report.nodeID }
    let before = known.map { CivilTime.text(cluster[$0].lastReport, zone: zone) }
    if known == nil {
      if let refusal = report.refusal { throw refusal }
      cluster.append(.init(nodeID: report.nodeID, name: report.name, groups: report.groups, lastReport: now))
    }
    let place = known ?? cluster.count - 1
    cluster[place].version = report.version
    cluster[place].lastReport = now
    cluster[place].master = report.isMaster ? 1 : 0
    for row in report.rows {
      cluster[place].stats[row.type.rawValue] = .init(
        depth: row.depth, devices: row.jobs, workerSeconds: row.seconds, workers: row.workers, frequency: row.frequency)
    }
    var written = NodeReport.Written(before: before, after: CivilTime.text(now, zone: zone))
    guard let stale = report.staleMasterAge?.components.seconds else { return written }
    let othersAge = NodeReport.othersAge.components.seconds
    for (other, row) in cluster.enumerated() where row.nodeID != report.nodeID {
      let age = now - row.lastReport
      if age < othersAge {
        written.others.append(
          .init(
            node: row.nodeID, name: row.name, groups: PollerGroupList.parse(row.groups) ?? [0], isMaster: row.master == 1,
            age: .seconds(age)))
      }
      if row.master == 1, age > stale { cluster[other].master = 0 }
    }
    return written
  }

  public mutating func clearMaster(nodeID: String) {
    for place in cluster.indices where cluster[place].nodeID == nodeID { cluster[place].master = 0 }
  }
}

extension SimulatedDevice {
  func last(_ time: DeviceTime) -> Int64? { time == .polled ? lastPolled : lastDiscovered }
  func taken(_ time: DeviceTime) -> Double? { time == .polled ? lastPolledTaken : lastDiscoveredTaken }

  /// -infinity = due at any time, infinity = never.
  fileprivate var pollBegin: Double {
    if isDisabled { return .infinity }
    guard let lastPolled else { return lastDiscovered == nil ? .infinity : -.infinity }
    return Double(lastPolled) - (lastPolledTaken ?? 0)
  }
}

/// Texts of DATETIME columns.
enum CivilTime {
  /// `YYYY-MM-DD HH:MM:SS` of a second since 1970, in a zone so many seconds east of UTC. (Howard Hinnant, "chrono-compatible low-level date
  /// algorithms", civil_from_days.)
  static func text(_ second: Int64, zone: Int) -> String {
    let local = second + Int64(zone)
    let days = local.flooredDivision(by: 86_400)
    let rest = local - days * 86_400
    let shifted = days + 719_468
    let era = shifted.flooredDivision(by: 146_097)
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let month = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * month + 2) / 5 + 1
    let civilMonth = month < 10 ? month + 3 : month - 9
    let year = yearOfEra + era * 400 + (civilMonth <= 2 ? 1 : 0)
    return "\(padded(year, 4))-\(padded(civilMonth, 2))-\(padded(day, 2)) "
      + "\(padded(rest / 3600, 2)):\(padded(rest / 60 % 60, 2)):\(padded(rest % 60, 2))"
  }

  private static func padded(_ number: Int64, _ width: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
  }
}

extension Int64 {
  fileprivate func flooredDivision(by divisor: Int64) -> Int64 {
    let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
    return remainder < 0 ? quotient - 1 : quotient
  }
}
