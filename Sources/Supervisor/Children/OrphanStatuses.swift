import Core

/// How processes ended that a child left behind: kept for its successor, which must know it to tell a poll that worked from one that failed.
struct OrphanStatuses {
  struct Entry: Equatable {
    var type: TaskType
    var process: ProcessIdentity
    var status: ExitStatus
  }

  /// Enough for every slot of every type to have ended many times over while a child waited for its restart.
  static let limit = 4096

  private var entries: [Entry] = []

  mutating func keep(_ entry: Entry) {
    if entries.count >= Self.limit { entries.removeFirst(entries.count - Self.limit + 1) }
    entries.append(entry)
  }

  /// Those of one type that are still of interest. The others of the type are dropped: their slots were released or given to other jobs.
  mutating func take(_ type: TaskType, stillIn table: Set<ProcessIdentity>) -> [Entry] {
    entries.removeAll { $0.type == type && !table.contains($0.process) }
    return entries.filter { $0.type == type }
  }
}
