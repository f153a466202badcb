import Core
import Simulation

/// Everything that a seed decides before the world begins: nodes, devices, settings, how long scripts take, and the faults with their times.
struct Scenario {
  let seed: UInt64
  /// Until the faults are healed.
  let duration: Duration
  private(set) var nodes: [Settings] = []
  private(set) var starts: [Duration] = []
  private(set) var pythonNode: Settings?
  private(set) var devices: [SimulatedDevice] = []
  private(set) var faults: [Fault] = []
  /// Places in `faults`; shrinking takes some away.
  var active: [Int] = []
  private(set) var replicaLag = Duration.milliseconds(50)
  /// Seconds of a worker for one poll of 2.1 s on average, when two thirds of its time are free for what fails.
  private static let workPerPoll = 2.1 * 3
  /// Seconds a poll takes at least and at most, in the usual case.
  private var pollTime = 0.2...4.0

  var activeFaults: [Fault] { active.map { faults[$0] } }

  /// The longest period of polling that is in force at any time.
  private(set) var pollPeriod = Duration.seconds(60)
  private let base: Settings

  /// What a seed does not decide in a long run: how many nodes, a Python one among them or not, how many devices, and that every type is on.
  struct Size {
    var nodes: Int
    var devices: Int
  }

  /// `duration`: of the faults; with a `size`, of the whole life of the world with its healing and its end, of which five minutes at least are
  /// those of the faults. `size` and `faultCount`: nil = what the seed says.
  init(seed: UInt64, duration: Duration = .seconds(3600), size: Size? = nil, faultCount: Int? = nil) {
    self.seed = seed
    var generator = SeededGenerator(seed: seed)
    func dice(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &generator) }

    var base = Settings(base: "/opt/librenms", nodeID: "", pollerName: "")
    let drawnNodes = [1, 2, 3, 3, 3, 2][dice(0...5)]
    let hasPython = (size?.nodes ?? drawnNodes) > 1 && dice(0...2) == 0
    let ownNodes = size.map { hasPython ? $0.nodes - 1 : $0.nodes } ?? drawnNodes
    base.isClustered = ownNodes > 1 || hasPython || dice(0...1) == 0
    base.distributed = base.isClustered
    pollPeriod = .seconds([30, 60, 60, 120, 300][dice(0...4)])
    base[.poller].frequency = pollPeriod
    let afterwards = Self.healingTime(pollPeriod) + Self.stopTime
    let duration = size == nil ? duration : max(duration - afterwards, .seconds(300))
    self.duration = duration
    // What the product's own nodes need for all polls, with room for failures.
    let capacity = pollPeriod.inSeconds / Self.workPerPoll * Double(ownNodes)
    let leastWorkers = size.map { Int((Double($0.devices) / capacity).rounded(.up)) } ?? 2
    base[.poller].workers = dice(leastWorkers...max(24, leastWorkers))
    base[.discovery].frequency = .seconds([600, 1200, 1800][dice(0...2)])
    base[.discovery].workers = dice((size == nil ? 1 : 2)...8)
    base[.services].frequency = .seconds([60, 120, 300][dice(0...2)])
    base[.services].workers = dice(1...8)
    base[.ping].enabled = size != nil || dice(0...1) == 0
    base[.ping].frequency = .seconds(60)
    base[.alerting].frequency = .seconds([30, 60][dice(0...1)])
    base[.billing].frequency = .seconds([60, 300][dice(0...1)])
    base.billingCalculateFrequency = .seconds([60, 120][dice(0...1)])
    base[.maintenance].enabled = size != nil || dice(0...3) == 0
    base[.maintenance].frequency = .seconds(1800)
    base.pollerDownRetry = .seconds([10, 30, 60][dice(0...2)])
    for type in TaskType.allCases {
      var limits = TypeLimits(for: type)
      limits.jobTimeout = .seconds([45, 60, 90][dice(0...2)])
      base.limits[type] = limits
    }
    let groups = dice(0...2) == 0 ? [0, 1] : [0]
    base.groups = groups
    self.base = base
    for index in 0..<ownNodes {
      var settings = base
      settings.nodeID = "node-\(index)"
      settings.pollerName = "n\(index)"
      nodes.append(settings)
      starts.append(.milliseconds(dice(0...5000)))
    }
    if hasPython {
      var settings = base
      settings.nodeID = "python"
      settings.pollerName = "py"
      pythonNode = settings
    }

    let wanted = size?.devices ?? dice(10...200)
    // What the workers can do, with room for failures.
    let workers = base[.poller].workers * ownNodes
    let most = max(4, Int(Double(workers) * pollPeriod.inSeconds / 2.1 / 3))
    for id in 1...(size == nil ? min(wanted, most) : wanted) {
      var device = SimulatedDevice(id: Int64(id), group: groups[dice(0...groups.count - 1)])
      device.hasServices = dice(0...4) == 0
      device.isDisabled = dice(0...30) == 0
      // Some were never polled; the others at some time before the world began.
      if dice(0...9) > 0 {
        device.lastPolled = 1_790_000_000 - Int64(dice(1...600))
        device.lastPolledTaken = Double(dice(200...4000)) / 1000
        device.lastDiscovered = 1_790_000_000 - Int64(dice(1...1200))
        device.lastDiscoveredTaken = Double(dice(500...9000)) / 1000
      }
      devices.append(device)
    }

    replicaLag = .milliseconds(dice(1...2000))
    let minutes = Int(duration.inSeconds / 60)
    let count = faultCount ?? (minutes == 0 ? 0 : dice(0...max(1, minutes / 3)))
    for _ in 0..<count {
      let at = Duration.milliseconds(dice(10_000...max(11_000, Int(duration.inSeconds * 1000) - 60_000)))
      faults.append(Fault(at: at, kind: .draw(nodes: ownNodes, isClustered: base.isClustered, using: &generator)))
    }
    faults.sort { $0.at < $1.at }
    active = Array(faults.indices)
  }

  /// Of a job by its type and payload; nil = it keeps none.
  func period(of key: String) -> Duration? {
    switch key.split(separator: " ").first.flatMap({ TaskType(rawValue: String($0)) }) {
    case nil, .maintenance, .discovery: nil
    case .billing: key.hasSuffix("calculate") ? base.billingCalculateFrequency : base[.billing].frequency
    case .some(let type): base[type].frequency
    }
  }

  var isClustered: Bool { base.isClustered }
  var downRetry: Duration { base.pollerDownRetry }

  /// `dice`: 0 to 999,999.
  func duration(of type: TaskType, _ payload: String, dice: Int) -> Duration {
    let share = Double(dice) / 1_000_000
    let isSlow = dice % 40 == 0
    switch type {
    case .poller: return .milliseconds(Int64((isSlow ? 4 + share * 10 : 0.2 + share * 3.8) * 1000))
    case .discovery: return .milliseconds(Int64((0.5 + share * (isSlow ? 40 : 9)) * 1000))
    case .services: return .milliseconds(Int64((0.1 + share * 2) * 1000))
    case .ping: return .milliseconds(Int64((0.5 + share * 5) * 1000))
    case .alerting: return .milliseconds(Int64((0.2 + share * (isSlow ? 20 : 3)) * 1000))
    case .billing: return .milliseconds(Int64((0.2 + share * (isSlow ? 20 : 3)) * 1000))
    case .maintenance: return .milliseconds(Int64((5 + share * 60) * 1000))
    }
  }

  /// Two periods, after the locks of the last fault have lapsed its scripts have come to their limit, and devices were
  /// discovered again whose discovery left no trace.
  var healingTime: Duration { Self.healingTime(pollPeriod) }
  private static func healingTime(_ period: Duration) -> Duration { period * 2 + max(period, .seconds(60)) + .seconds(420) }
  /// The longest script that may run when the services are stopped, and the time to end.
  static let stopTime = Duration.seconds(130)
  var longestHold: Duration { max(pollPeriod, base[.discovery].frequency, base[.services].frequency) + .seconds(60) }
}
