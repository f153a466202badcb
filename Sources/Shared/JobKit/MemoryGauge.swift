import Core

/// How full the memory is that the scripts get theirs from, read from the kernel: microseconds, and nothing that blocks.
///
/// The first of these that has an answer counts: the groups (version 2) that the scripts are in, the fullest of those with a limit; version
/// 1; the machine.
struct MemoryGauge {
  typealias Reading = MemoryReading

  /// Innermost first.
  private var levels: [String] = []
  private var levelsV1: [String] = []
  var machine = "/proc/meminfo"

  /// `scripts`: the group of the type's scripts, nil where they stay in this process's own.
  init(scripts: String?) {
    let (unified, memory) = ControlGroupLocation.current()
    self.init(unified: unified, memoryV1: memory, scripts: scripts)
  }

  init(unified: ControlGroupLocation?, memoryV1: ControlGroupLocation?, scripts: String?) {
    if var unified {
      if let scripts, scripts.hasPrefix(unified.top + "/") { unified.directory = scripts }
      levels = unified.levels
    }
    levelsV1 = memoryV1?.levels ?? []
  }

  func read() -> Reading? {
    let groups = levels.compactMap { Self.unified($0) }
    if let fullest = groups.max(by: { $0.used < $1.used }) { return fullest }
    let older = levelsV1.compactMap { Self.older($0) }
    return older.max { $0.used < $1.used } ?? Self.machine(machine)
  }

  private static func unified(_ directory: String) -> Reading? {
    // Most groups have no limit: one small file tells.
    guard let limit = number(directory + "/memory.max"), let used = number(directory + "/memory.current") else { return nil }
    let stat = table(directory + "/memory.stat")
    let cache = (stat["inactive_file"] ?? 0) + (stat["active_file"] ?? 0)
    return MemoryGatePolicy.percent(used: used, cache: cache, limit: limit).map { Reading(used: $0, place: directory) }
  }

  /// Version 1 writes "no limit" as the largest number of whole pages.
  private static let noLimit: UInt64 = 1 << 60

  private static func older(_ directory: String) -> Reading? {
    guard let limit = number(directory + "/memory.limit_in_bytes"), limit < noLimit,
      let used = number(directory + "/memory.usage_in_bytes")
    else { return nil }
    let stat = table(directory + "/memory.stat")
    let cache = (stat["total_inactive_file"] ?? 0) + (stat["total_active_file"] ?? 0)
    return MemoryGatePolicy.percent(used: used, cache: cache, limit: limit).map { Reading(used: $0, place: directory) }
  }

  private static func machine(_ path: String) -> Reading? {
    let values = table(path)
    guard let total = values["MemTotal:"], let available = values["MemAvailable:"] else { return nil }
    return MemoryGatePolicy.percent(available: available, total: total).map { Reading(used: $0, place: "this machine") }
  }

  private static func number(_ path: String) -> UInt64? {
    FileText.read(path, limit: 32).flatMap { UInt64($0.prefix { $0 != "\n" }) }
  }

  /// Lines of a name and a number.
  private static func table(_ path: String) -> [Substring: UInt64] {
    guard let text = FileText.read(path, limit: 8192) else { return [:] }
    var values: [Substring: UInt64] = [:]
    for line in text.split(separator: "\n") {
      let words = line.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: true)
      if words.count >= 2, let value = UInt64(words[1]) { values[words[0]] = value }
    }
    return values
  }
}
