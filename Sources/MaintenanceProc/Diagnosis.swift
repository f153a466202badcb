import Core
import Database
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
  /// At the confirmation all nodes of a cluster that starts have reported.
  private static let groupPatience = Duration.seconds(30)
  /// What is shown by `status`, at most.
  private static let shown = 8
  /// Slower answers tell nothing about a clock.
  private static let longestRoundTrip = Duration.seconds(2)
  private static let times: [(type: TaskType, time: DeviceTime)] = [(.poller, .polled), (.discovery, .discovered)]

  private let loop: EventLoop
  private let database: any NodeDatabase
  private let log: Logger
  private let leads: () -> Bool
  private let machineLoad: () -> Double?
  private var warnings = ActiveWarnings()
  private let startedAt: MonotonicTime
  private var judgedAt: MonotonicTime?
  private var clocks = LookPolicy(first: .seconds(15), interval: Diagnosis.clockInterval)
  private var groups = LookPolicy(first: Diagnosis.groupPatience, interval: Diagnosis.groupInterval)
  private var rivals = RivalPolicy()
  private var reading: ClockPolicy.Reading?
  /// How far behind NOW() a device's time was, by type and device.
  private var behind: [TaskType: (device: String, seconds: Int?)] = [:]
  /// The database takes no writes, as seen at the last suspicion.
  private var isReadOnly = false

  init(_ surroundings: ChildDutySurroundings) {
    loop = surroundings.loop
    database = surroundings.sql
    startedAt = loop.now
    log = surroundings.log
    leads = surroundings.leads
    machineLoad = surroundings.machineLoad
  }

  /// What is wrong now, for the heartbeat.
  var active: [String] { Array(warnings.texts.prefix(Self.shown)) }

  /// The configuration has changed: whoever changed it wants to know what it did.
  func lookAgain() {
    groups.forgetAnswer()
    clocks.forgetAnswer()
  }

  /// To be called about every second.
  func turn(at now: MonotonicTime, _ settings: Settings, _ heartbeats: [TaskType: Heartbeat]) {
    guard judgedAt.map({ now - $0 >= Self.judgeInterval }) ?? true else { return }
    judgedAt = now
    judge(settings, heartbeats)
    guard database.isUp == true else { return }
    let (time, start) = (Duration.nanoseconds(now.nanoseconds), Duration.nanoseconds(startedAt.nanoseconds))
    let suspects = suspects(heartbeats)
    // A suspicion is looked into at once, and then like any other change.
    let isOld = clocks.askedAt.map { time - $0 >= LookPolicy.confirmation } ?? true
    let isNew = suspects.contains { behind[$0.type]?.device != $0.device } && isOld
    if isNew && !clocks.isAsked || clocks.isDue(now: time, startedAt: start) { askClocks(time, suspects) }
    if leads() {
      if groups.isDue(now: time, startedAt: start) { askGroups(time, settings) }
    } else {
      // Another node says it.
      warnings.forget("groups")
      warnings.forget(RivalPolicy.key)
      rivals.follows()
      groups = LookPolicy(first: Self.groupPatience, interval: Self.groupInterval)
    }
  }

  /// The rows of the other nodes, as a report of this one found them.
  func heard(_ others: [NodeReport.OtherNode], leads: Bool, _ settings: Settings) {
    guard leads, self.leads() else { return rivals.follows() }
    observe(
      rivals.leads(
        others.map { .init(node: $0.node, name: $0.name, groups: $0.groups, isMaster: $0.isMaster, age: $0.age) },
        groups: settings.groups, isClustered: settings.isClustered, masterTimeout: settings.masterTimeout,
        period: settings[.poller].frequency, at: .nanoseconds(loop.now.nanoseconds)))
  }

  private func observe(_ finding: Finding) {
    guard let (saying, text) = warnings.observe(finding, at: .nanoseconds(loop.now.nanoseconds)) else { return }
    switch saying {
    case .begun: log.warning("\(text)")
    case .lasting: log.warning("still so: \(text)")
    case .over: log.notice("\(text)")
    }
  }

  // MARK: Out of the heartbeats

  private func judge(_ settings: Settings, _ heartbeats: [TaskType: Heartbeat]) {
    let load = machineLoad()
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
      if let time = Self.times.first(where: { $0.type == type })?.time {
        let known = behind[type].flatMap { $0.device == beat.stayedDueExample ? $0.seconds : nil }
        observe(
          ClockPolicy.stayedDue(
            type.rawValue, column: time.rawValue, devices: beat.stayedDue, example: beat.stayedDueExample, behind: known,
            period: settings[type].frequency, isReadOnly: isReadOnly, reading))
      }
    }
  }

  private func suspects(_ heartbeats: [TaskType: Heartbeat]) -> [ClocksQuestion.Suspect] {
    Self.times.compactMap { type, time in
      guard let beat = heartbeats[type], beat.stayedDue >= ClockPolicy.fewestDevices else { return nil }
      return beat.stayedDueExample.map { .init(type: type, device: $0, time: time) }
    }
  }

  // MARK: Out of the database

  private func askClocks(_ now: Duration, _ suspects: [ClocksQuestion.Suspect]) {
    clocks.asked(now: now)
    database.ask(ClocksQuestion(suspects: suspects)) { [weak self] answer in
      guard let self else { return }
      guard case .success(let found) = answer else {
        return complain(answer, &clocks)
      }
      for suspect in suspects { behind[suspect.type] = (suspect.device, found.behind[suspect.type]) }
      isReadOnly = found.isReadOnly
      if let clock = found.clock, clock.roundTrip <= Self.longestRoundTrip {
        let reading = ClockPolicy.Reading(skew: clock.skew, databaseOffset: clock.databaseOffset, hostOffset: clock.hostOffset)
        self.reading = reading
        observe(ClockPolicy.skew(reading))
      }
      let isCut = found.ahead >= ClocksQuestion.most
      observe(ClockPolicy.ahead(devices: found.ahead, orMore: isCut, furthest: found.furthest, reading))
      let keys = ["clock", "polled in the future"]
      clocks.answered(
        isUrgent: !suspects.isEmpty || keys.contains(where: warnings.isUndecided), isActive: keys.contains(where: warnings.isActive))
    }
  }

  private func askGroups(_ now: Duration, _ settings: Settings) {
    groups.asked(now: now)
    let own = settings[.poller].enabled ? settings.groups : []
    database.ask(CoverageQuestion(nodeID: settings.nodeID, period: settings[.poller].frequency)) { [weak self] answer in
      guard let self else { return }
      guard case .success(let found) = answer else {
        return complain(answer, &groups)
      }
      observe(
        GroupCoveragePolicy.judge(devices: found.devices, own: own, others: found.others.map { .init(groups: $0.groups, polls: $0.polls) }))
      groups.answered(isUrgent: warnings.isUndecided("groups"), isActive: warnings.isActive("groups"))
    }
  }

  /// An outage is told by the connection itself.
  private func complain<Value>(_ answer: Result<Value, DatabaseError>, _ look: inout LookPolicy) {
    guard case .failure(let error) = answer else { return }
    look.failed(passes: error.isOutage || error.isTransient)
    if !error.isOutage, !error.isTransient { log.debug("a look for faults failed: \(error)") }
  }
}
