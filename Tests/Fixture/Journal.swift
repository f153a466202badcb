/// One run of a stand-in script as it wrote it down itself.
public struct ScriptRun: Sendable, CustomStringConvertible {
  public var type: String
  public var id: String
  public var pid: Int32
  public var start: Double
  /// Seconds since 1970; nil: it was killed, or runs still.
  public var end: Double?
  public var exitCode: Int32?
  /// As it was started, without the path of the directory: `php alerts.php -f`.
  public var commandLine = ""

  public var description: String {
    "\(type) \(id) pid \(pid) \(start)–\(end.map { "\($0)" } ?? "?") exit \(exitCode.map { "\($0)" } ?? "?")"
  }
}

/// The journal of a sample directory: who ran when. All answers are about starts, since a killed script writes no end.
public struct Journal: Sendable {
  public private(set) var runs: [ScriptRun] = []

  public init(_ text: String) {
    var open: [String: Int] = [:]
    for line in text.split(separator: "\n") {
      let words = line.split(separator: " ")
      guard words.count >= 6, let time = Double(words[0].replacing(",", with: ".")), let pid = Int32(words[4]) else { continue }
      let key = "\(words[2]) \(words[3]) \(pid)"
      if words[1] == "start" {
        open[key] = runs.count
        let commandLine = words.dropFirst(6).joined(separator: " ")
        runs.append(ScriptRun(type: String(words[2]), id: String(words[3]), pid: pid, start: time, commandLine: commandLine))
      } else if let index = open.removeValue(forKey: key) {
        runs[index].end = time
        runs[index].exitCode = Int32(words[5])
      }
    }
    runs.sort { $0.start < $1.start }
  }

  public func runs(_ type: String, _ id: String? = nil) -> [ScriptRun] {
    runs.filter { $0.type == type && (id == nil || $0.id == id) }
  }

  public func ids(_ type: String) -> Set<String> { Set(runs(type).map(\.id)) }

  /// Neighbouring runs of the same device.
  public func pairs(_ type: String) -> [(earlier: ScriptRun, later: ScriptRun)] {
    Dictionary(grouping: runs(type), by: \.id).values.flatMap { runs in zip(runs, runs.dropFirst()).map { ($0, $1) } }
  }

  /// Start-to-start times of every device, in seconds.
  public func intervals(_ type: String) -> [Double] { pairs(type).map { $1.start - $0.start } }

  /// Runs of the same device at once. A run without an end counts as alive until its process is gone.
  public func overlaps(_ type: String, isAlive: (Int32) -> Bool = ProcessInfo.isAlive) -> [(ScriptRun, ScriptRun)] {
    pairs(type).filter { earlier, later in earlier.end.map { later.start < $0 } ?? isAlive(earlier.pid) }
  }

  /// Runs of the same device with less than so many seconds from start to start.
  public func repeats(_ type: String, within seconds: Double) -> [(ScriptRun, ScriptRun)] {
    pairs(type).filter { $1.start - $0.start < seconds }
  }

  public func running(_ type: String, at time: Double) -> [ScriptRun] {
    runs(type).filter { $0.start <= time && ($0.end ?? .infinity) > time }
  }

  /// Started, never ended, and gone: killed in the middle.
  public func killed(_ type: String, isAlive: (Int32) -> Bool = ProcessInfo.isAlive) -> [ScriptRun] {
    runs(type).filter { $0.end == nil && !isAlive($0.pid) }
  }

  /// The most runs at one time.
  public func peak(_ type: String) -> Int {
    var changes: [(Double, Int)] = []
    for run in runs(type) {
      changes.append((run.start, 1))
      if let end = run.end { changes.append((end, -1)) }
    }
    var (now, most) = (0, 0)
    for (_, change) in changes.sorted(by: { $0 < $1 }) {
      now += change
      most = max(most, now)
    }
    return most
  }
}
