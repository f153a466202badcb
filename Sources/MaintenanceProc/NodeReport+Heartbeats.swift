import Core
import JobKit

/// The report out of what the children of the node have said last.
extension NodeReport {
  /// The six types that the web page draws; maintenance is no scheduler type of LibreNMS.
  static let types: [TaskType] = [.poller, .discovery, .services, .ping, .billing, .alerting]

  /// A type whose child has not said anything lately has no row in this report, so its last one stays: a zero would be a lie. One that no
  /// child runs has nothing waiting and does nothing.
  init(_ settings: Settings, isMaster: Bool, heartbeats: [TaskType: Heartbeat]) {
    let rows: [TypeRow] = Self.types.compactMap { type in
      let schedule = settings[type]
      var row = TypeRow(
        type: type, depth: 0, jobs: 0, seconds: 0, workers: Self.workers(type, schedule), frequency: Int(schedule.frequency.inSeconds))
      if let beat = heartbeats[type], beat.queueIsKnown {
        row.depth = max(0, beat.queued)
        row.jobs = max(0, beat.recentJobs)
        row.seconds = max(0, beat.consumed.inSeconds)
        return row
      }
      return schedule.enabled || settings.isClustered ? nil : row
    }
    self.init(
      nodeID: settings.nodeID, name: settings.pollerName, groups: settings.groups.map(String.init).joined(separator: ","),
      version: ProductVersion.text, isMaster: isMaster, rows: rows, staleMasterAge: isMaster ? settings.masterTimeout * 2 : nil)
  }

  /// As the Python service reports them, whose worker counts of these types are fixed.
  private static func workers(_ type: TaskType, _ schedule: Schedule) -> Int {
    switch type {
    case .alerting, .ping: 1
    case .billing: 2
    default: schedule.workers
    }
  }
}
