import Core
import Database
import JobKit
import Logging

/// What the maintenance child does for the whole node beside `daily.sh`: it reports, and it looks whether the configuration has changed.
final class NodeDuty: ChildDuty {
  /// The web page is green for 0.95 of a polling period, which may be 60 s.
  private static let reportInterval = Duration.seconds(30)
  /// Settings made in the web UI are in force within a minute.
  private static let lookInterval = shortenedByTests() ?? .seconds(50)

  private let loop: EventLoop
  private let database: any NodeDatabase
  private let log: Logger
  private let leads: () -> Bool
  private let send: (Upward) -> Void
  private var settings: Settings
  private var heartbeats: [TaskType: Heartbeat] = [:]
  private let startedAt: MonotonicTime
  private var reportedAt: MonotonicTime?
  private var reportedMaster: Bool?
  private var reportedRows = 0
  private var reporting = false
  private var refusals = RefusalPolicy()
  private var lookedAt: MonotonicTime?
  private var rereads = RereadPolicy()
  private var twins = TwinPolicy()
  private let diagnosis: Diagnosis

  init(_ surroundings: ChildDutySurroundings) {
    loop = surroundings.loop
    database = surroundings.sql
    startedAt = loop.now
    log = surroundings.log
    leads = surroundings.leads
    send = surroundings.send
    settings = surroundings.settings
    diagnosis = Diagnosis(surroundings)
  }

  func apply(_ settings: Settings) {
    if settings.nodeID != self.settings.nodeID { reportedAt = nil }
    if settings != self.settings { diagnosis.lookAgain() }
    self.settings = settings
  }

  func heard(_ heartbeats: [TaskType: Heartbeat]) { self.heartbeats = heartbeats }

  func fill(_ heartbeat: inout Heartbeat) { heartbeat.warnings += diagnosis.active }

  func turn(at now: MonotonicTime) {
    diagnosis.turn(at: now, settings, heartbeats)
    guard database.isUp == true else { return }
    report(now)
    look(now)
  }

  // MARK: The report

  private func report(_ now: MonotonicTime) {
    let isMaster = leads()
    let report = NodeReport(settings, isMaster: isMaster, heartbeats: heartbeats)
    // Who leads is told at once, and the figures of a type as soon as its child has said them for the first time.
    let isNews = isMaster != reportedMaster || report.rows.count > reportedRows
    let isDue = reportedAt.map { now - $0 >= Self.reportInterval || isNews } ?? true
    guard isDue, !reporting else { return }
    reporting = true
    reportedAt = now
    reportedMaster = isMaster
    reportedRows = max(reportedRows, report.rows.count)
    database.ask(WriteReport(report)) { [weak self] answer in
      guard let self else { return }
      reporting = false
      switch answer {
      case .success(let written):
        if refusals.worked() { log.notice("the node's report is written again") }
        diagnosis.heard(written.others, leads: isMaster, settings)
        if !settings.flags.multiple, twins.wrote(before: written.before, after: written.after, at: .nanoseconds(now.nanoseconds)) {
          log.warning(
            """
            another service reports under the same NODE_ID (\(settings.nodeID)): nodes with one id overwrite each other's settings and \
            figures. Was .env copied from another node? Give each node a NODE_ID of its own, or stop the Python service if it still runs
            """)
        }
      case .failure(let error):
        twins.failed()
        // An outage is told by the connection itself; the report follows when it is over, as it does after what passes.
        if error.isOutage || error.isTransient { reportedMaster = nil }
        guard !error.isOutage else { return }
        let answer = refusals.refused(isTransient: error.isTransient, at: .nanoseconds(loop.now.nanoseconds), random: 0)
        if answer.isSaid { log.error("can't write the node's report to poller_cluster: \(error)") }
      }
    }
  }

  func end(_ done: @escaping () -> Void) {
    guard reportedMaster == true else { return done() }
    database.ask(ClearMaster(nodeID: settings.nodeID)) { _ in done() }
  }

  // MARK: The look at the settings

  /// For tests only: a number of seconds in DISPATCHER_LOOK_SECONDS.
  private static func shortenedByTests() -> Duration? {
    ScriptEnvironment.value("DISPATCHER_LOOK_SECONDS").flatMap(Double.init).flatMap { $0 > 0 && $0 < 50 ? Duration(seconds: $0) : nil }
  }

  private func look(_ now: MonotonicTime) {
    guard lookedAt.map({ now - $0 >= Self.lookInterval }) ?? (now - startedAt >= min(.seconds(5), Self.lookInterval)),
      !settings.fingerprint.isEmpty
    else { return }
    lookedAt = now
    let known = settings.fingerprint
    database.ask(FingerprintQuestion(base: settings.base, nodeID: settings.nodeID)) { [weak self] answer in
      guard let self else { return }
      if case .failure(let error) = answer, error.isOutage || error.isTransient { lookedAt = nil }
      guard case .success(let found) = answer, settings.fingerprint == known else { return }
      let (fingerprint, isSettled) = SourceFingerprint.parts(known)
      guard let reason = rereads.reason(known: fingerprint, isSettled: isSettled, found: found) else { return }
      send(.reloadWanted(reason: reason))
    }
  }
}
