import Core
import Database
import Glibc
import JobKit
import Logging

/// Looks for what makes a node do its work badly without anything failing, and says what to do about it.
///
/// What each look means is decided by the policies; here it is asked, said and remembered.
final class Diagnosis {
  /// Heartbeats come every 5 s.
  private static let judgeInterval = Duration.seconds(5)
  private static let clockInterval = Duration.seconds(180)
  /// A scan of all devices.
  private static let groupInterval = Duration.seconds(600)
  /// What has changed is looked at again after this; nothing here asks the database more often.
  private static let confirmation = Duration.seconds(60)
  /// At the confirmation all nodes of a cluster that starts have reported.
  private static let groupPatience = Duration.seconds(30)
  /// What is shown by `status`, at most.
  private static let shown = 8
  /// Slower answers tell nothing about a clock.
  private static let longestRoundTrip = Duration.seconds(2)
  private static let columns: [TaskType: String] = [.poller: "last_polled", .discovery: "last_discovered"]

  private let sql: SQLThread
  private let log: Logger
  private let leads: () -> Bool
  private var warnings = ActiveWarnings()
  private let startedAt = MonotonicTime.now
  private var judgedAt: MonotonicTime?
  private var clocks = Look()
  private var groups = Look()
  private var reading: ClockPolicy.Reading?
  /// How far behind NOW() a device's time was, by type and device.
  private var behind: [TaskType: (device: String, seconds: Int?)] = [:]

  /// One kind of question to the database: when it was asked last, and whether its answer is to be confirmed soon.
  private struct Look {
    var askedAt: MonotonicTime?
    var isAsked = false
    var isUrgent = false

    func isDue(_ now: MonotonicTime, startedAt: MonotonicTime, first: Duration, interval: Duration) -> Bool {
      guard !isAsked else { return false }
      guard let askedAt else { return now - startedAt >= first }
      return now - askedAt >= (isUrgent ? Diagnosis.confirmation : interval)
    }
  }

  init(sql: SQLThread, log: Logger, leads: @escaping () -> Bool) {
    self.sql = sql
    self.log = log
    self.leads = leads
  }

  /// What is wrong now, for the heartbeat.
  var active: [String] { Array(warnings.texts.prefix(Self.shown)) }

  /// To be called about every second.
  func turn(at now: MonotonicTime, _ settings: Settings, _ heartbeats: [TaskType: Heartbeat]) {
    guard judgedAt.map({ now - $0 >= Self.judgeInterval }) ?? true else { return }
    judgedAt = now
    judge(settings, heartbeats)
    guard sql.isUp == true else { return }
    let suspects = suspects(heartbeats)
    // A suspicion is looked into at once, and then like any other change.
    let isNew = suspects.contains { behind[$0.type]?.device != $0.device } && (clocks.askedAt.map { now - $0 >= Self.confirmation } ?? true)
    if isNew && !clocks.isAsked || clocks.isDue(now, startedAt: startedAt, first: .seconds(15), interval: Self.clockInterval) {
      askClocks(now, suspects)
    }
    if leads() {
      if groups.isDue(now, startedAt: startedAt, first: Self.groupPatience, interval: Self.groupInterval) { askGroups(now, settings) }
    } else {
      // Another node says it.
      warnings.forget("groups")
      groups = Look()
    }
  }

  private func observe(_ finding: Finding) {
    guard let (saying, text) = warnings.observe(finding, at: .nanoseconds(MonotonicTime.now.nanoseconds)) else { return }
    switch saying {
    case .begun: log.warning("\(text)")
    case .lasting: log.warning("still so: \(text)")
    case .over: log.notice("\(text)")
    }
  }

  // MARK: Out of the heartbeats

  private func judge(_ settings: Settings, _ heartbeats: [TaskType: Heartbeat]) {
    let load = MachineLoad.perProcessor()
    for type in TaskType.allCases where type != .maintenance {
      guard settings[type].enabled else {
        for kind in ["duration", "capacity", "stayed due"] { warnings.forget("\(kind) \(type.rawValue)") }
        continue
      }
      guard let beat = heartbeats[type] else { continue }
      observe(DurationPolicy.judge(type.rawValue, usualLongest: beat.usualLongest, period: settings[type].frequency))
      if [.poller, .discovery, .services].contains(type) {
        let figures = CapacityPolicy.Figures(
          type: type.rawValue, period: settings[type].frequency, spreads: type == .poller, workers: beat.slots, busy: beat.busy,
          queued: beat.queued, oldestDue: beat.oldestDue, consumed: beat.consumed, capacity: beat.capacity,
          isHampered: !beat.outages.isEmpty || !beat.queueIsKnown, load: load)
        observe(CapacityPolicy.judge(figures))
      }
      if let column = Self.columns[type] {
        let known = behind[type].flatMap { $0.device == beat.stayedDueExample ? $0.seconds : nil }
        observe(
          ClockPolicy.stayedDue(
            type.rawValue, column: column, devices: beat.stayedDue, example: beat.stayedDueExample, behind: known, reading))
      }
    }
  }

  private func suspects(_ heartbeats: [TaskType: Heartbeat]) -> [(type: TaskType, device: String)] {
    Self.columns.keys.compactMap { type in
      guard let beat = heartbeats[type], beat.stayedDue >= ClockPolicy.fewestDevices else { return nil }
      return beat.stayedDueExample.map { (type, $0) }
    }
  }

  // MARK: Out of the database

  private func askClocks(_ now: MonotonicTime, _ suspects: [(type: TaskType, device: String)]) {
    clocks.askedAt = now
    clocks.isAsked = true
    let questions = suspects.compactMap { suspect in Self.columns[suspect.type].map { (suspect.type, suspect.device, $0) } }
    sql.submit({ connection throws(DatabaseError) in try DiagnosisAnswer.Clocks(connection, questions) }) { [weak self] answer in
      guard let self else { return }
      clocks.isAsked = false
      guard case .success(let found) = answer else { return complain(answer) }
      for (type, device, _) in questions { behind[type] = (device, found.behind[type]) }
      if let clock = found.clock, clock.roundTrip <= Self.longestRoundTrip {
        let reading = ClockPolicy.Reading(skew: clock.skew, databaseOffset: clock.databaseOffset, hostOffset: clock.hostOffset)
        self.reading = reading
        observe(ClockPolicy.skew(reading))
      }
      let isCut = found.ahead >= DiagnosisAnswer.Clocks.most
      observe(ClockPolicy.ahead(devices: found.ahead, orMore: isCut, furthest: found.furthest, reading))
      clocks.isUrgent = !suspects.isEmpty || warnings.isUndecided("clock") || warnings.isUndecided("polled in the future")
    }
  }

  private func askGroups(_ now: MonotonicTime, _ settings: Settings) {
    groups.askedAt = now
    groups.isAsked = true
    let nodeID = settings.nodeID
    let own = settings[.poller].enabled ? settings.groups : []
    let frequency = settings[.poller].frequency
    sql.submit({ connection throws(DatabaseError) in try DiagnosisAnswer.Groups(connection, nodeID: nodeID, frequency: frequency) }) {
      [weak self] answer in
      guard let self else { return }
      groups.isAsked = false
      guard case .success(let found) = answer else { return complain(answer) }
      observe(GroupCoveragePolicy.judge(devices: found.devices, own: own, others: found.others))
      groups.isUrgent = warnings.isUndecided("groups")
    }
  }

  /// An outage is told by the connection itself.
  private func complain<Value>(_ answer: Result<Value, DatabaseError>) {
    if case .failure(let error) = answer, !error.isOutage { log.debug("a look for faults failed: \(error)") }
  }
}

/// How busy this machine is.
enum MachineLoad {
  /// The one-minute load average for each processor; nil = not known.
  static func perProcessor() -> Double? {
    let words = FileText.read("/proc/loadavg", limit: 128)?.split(separator: " ") ?? []
    guard let load = words.first.flatMap({ Double($0) }) else { return nil }
    return load / Double(max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))))
  }
}
