import Core

/// `status` for people, at most 100 columns wide.
enum StatusTable {
  static let width = 100
  /// More running jobs than this are counted instead of listed, the longest first.
  static let jobLimit = 30

  static func render(_ report: StatusReport) -> String {
    var lines = ["\(report.version), process \(report.pid), up \(age(report.uptime)), \(report.base)"]
    if let name = report.name { lines.append("node \(name)\(report.node.map { " (\($0))" } ?? ""), configuration \(report.epoch)") }
    lines.append("\(report.healthy ? "" : "NOT HEALTHY: ")\(report.summary)")
    lines.append("")
    lines += types(report)
    lines += troubles(report.types)
    lines += warnings(report.warnings)
    lines += jobs(report.jobs, unseen: report.types.reduce(0) { $0 + $1.busy } - report.jobs.count)
    return lines.map { clip($0) }.joined(separator: "\n") + "\n"
  }

  private static func types(_ report: StatusReport) -> [String] {
    let header = ["TYPE", "STATE", "PID", "UP", "DIED", "BUSY", "QUEUED", "OLDEST", "DONE", "FAILED", "WORKER SECONDS"]
    return columns([header] + report.types.map { row($0, isConfigured: report.epoch > 0) })
  }

  private static func row(_ type: StatusReport.Child, isConfigured: Bool) -> [String] {
    let state = type.wanted || type.pid != nil ? type.state : isConfigured ? "disabled" : "-"
    let pid = type.pid.map { String($0) } ?? "-"
    let uptime = type.uptime.map { age($0) } ?? "-"
    let oldest = type.oldestDue.map { age($0) } ?? "-"
    let seconds = type.capacity > 0 ? "\(short(type.consumed))/\(short(type.capacity)) \(percent(type))" : "-"
    let slots = "\(type.busy)/\(type.slots)"
    return [
      type.type, state, pid, uptime, String(type.restarts), slots, String(type.queued), oldest, short(Double(type.done)),
      short(Double(type.failed)),
      seconds,
    ]
  }

  private static func troubles(_ types: [StatusReport.Child]) -> [String] {
    var lines: [String] = []
    for type in types {
      if let fault = type.fault { lines += wrap("\(type.type): DOES NOT DO ITS WORK: \(fault)", indent: "  ") }
      if type.crashLooping { lines.append("\(type.type): crash-looping") }
      if let next = type.nextStart { lines.append("\(type.type): next start in \(age(next))") }
      if let reason = type.lastRestart { lines.append("\(type.type): last restart: \(reason)") }
      if !type.limits.isEmpty { lines.append("\(type.type): limits \(type.limits.joined(separator: ", "))") }
      if !type.limitsMissing.isEmpty { lines.append("\(type.type): limits NOT in force: \(type.limitsMissing.joined(separator: ", "))") }
      if !type.outages.isEmpty { lines.append("\(type.type): no \(type.outages.joined(separator: ", no "))") }
      if let failure = type.tableFailure { lines += wrap("\(type.type): no job table, scripts can't be adopted: \(failure)", indent: "  ") }
      if let error = type.lastError { lines.append("\(type.type): last error: \(error)") }
      if type.lateTicks > 0 || type.missedTicks > 0 {
        lines.append("\(type.type): \(type.lateTicks) ticks waited for the end of the last run, \(type.missedTicks) had no run")
      }
      if type.droppedOutput > 0 { lines.append("\(type.type): \(type.droppedOutput) bytes of script output dropped") }
    }
    return lines.isEmpty ? [] : [""] + lines
  }

  /// Whole, since they say what to do.
  private static func warnings(_ warnings: [String]) -> [String] {
    guard !warnings.isEmpty else { return [] }
    return [""] + warnings.flatMap { wrap("warning: " + $0, indent: "  ") }
  }

  /// Breaks at spaces; a word that is longer than a line is left to `clip`.
  static func wrap(_ text: String, indent: String) -> [String] {
    var lines: [String] = []
    var line = ""
    for word in text.split(separator: " ") {
      if line.isEmpty {
        line = String(word)
      } else if line.count + 1 + word.count <= width {
        line += " " + word
      } else {
        lines.append(line)
        line = indent + word
      }
    }
    return line.isEmpty ? lines : lines + [line]
  }

  /// `unseen`: jobs of children that have no job table.
  private static func jobs(_ jobs: [StatusReport.Job], unseen: Int) -> [String] {
    let hidden = unseen > 0 ? ["\(short(Double(unseen))) job\(unseen == 1 ? " runs" : "s run") that no job table shows"] : []
    guard !jobs.isEmpty else { return [""] + (hidden.isEmpty ? ["no job runs"] : hidden) }
    let shown = jobs.sorted { $0.since > $1.since }.prefix(jobLimit)
    let header = ["RUNNING", "JOB", "GROUP", "SLOT", "PID", "SINCE", "LIMIT IN"]
    let rows = shown.map { job -> [String] in
      let name = job.job.isEmpty ? "-" : StatusText.clip(job.job)
      let limit = job.limit.map { age($0) } ?? "-"
      return [job.type, name, String(job.group), String(job.slot + 1), String(job.pid), age(job.since), limit]
    }
    let rest = jobs.count - shown.count
    return [""] + columns([header] + rows) + (rest > 0 ? ["and \(rest) more, which started later"] : []) + hidden
  }

  static func columns(_ rows: [[String]]) -> [String] {
    let count = rows.map(\.count).max() ?? 0
    let widths = (0..<count).map { column in rows.map { $0[column].count }.max() ?? 0 }
    return rows.map { row in
      var line = ""
      for (column, text) in row.enumerated() {
        line += column == 0 ? "" : "  "
        line += column == count - 1 ? text : text + String(repeating: " ", count: widths[column] - text.count)
      }
      return line
    }
  }

  private static func percent(_ type: StatusReport.Child) -> String {
    "\(whole(100 * type.consumed / type.capacity))%"
  }

  /// At most six characters up to a billion: 99999, 307k, 12M.
  private static func short(_ value: Double) -> String {
    switch abs(value) {
    case ..<100_000: "\(whole(value))"
    case ..<10_000_000: "\(whole(value / 1000))k"
    default: "\(whole(value / 1_000_000))M"
    }
  }

  /// A number from another process may be anything.
  private static func whole(_ value: Double) -> Int {
    Int(exactly: value.rounded()) ?? 0
  }

  private static func age(_ seconds: Double) -> String {
    StatusText.shortAge(.seconds(whole(min(max(seconds, 0), 1e9))))
  }

  private static func clip(_ line: String) -> String {
    line.count <= width ? line : line.prefix(width - 1) + "…"
  }
}
