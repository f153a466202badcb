/// Runs that ended with 0 and went wrong all the same, by what was wrong: each cause is said when it is first seen, again each hour while it
/// lasts, and is over when all the jobs that showed it have had a good run. Times are durations on one monotonic clock.
struct UnnoticedFaultPolicy: Equatable, Sendable {
  static let repetition = Duration.seconds(3600)
  /// Causes and jobs of a cause that are remembered: texts with a number in them would each be one.
  static let limit = 20
  static let jobLimit = 10_000

  private struct Entry: Equatable, Sendable {
    var jobs: Set<String>
    var saidAt: Duration
  }

  private var entries: [String: Entry] = [:]

  init() {}

  /// `job` by name. True: to be said now.
  mutating func failed(_ job: String, _ cause: String, at now: Duration) -> Bool {
    if var entry = entries[cause] {
      if entry.jobs.count < Self.jobLimit { entry.jobs.insert(job) }
      let isSaid = now - entry.saidAt >= Self.repetition
      if isSaid { entry.saidAt = now }
      entries[cause] = entry
      return isSaid
    }
    guard entries.count < Self.limit else { return false }
    entries[cause] = Entry(jobs: [job], saidAt: now)
    return true
  }

  /// A run of this job went well. The causes that are over by that.
  mutating func worked(_ job: String) -> [String] {
    guard !entries.isEmpty else { return [] }
    var over: [String] = []
    for cause in entries.keys.sorted() where entries[cause]?.jobs.remove(job) != nil && entries[cause]?.jobs.isEmpty == true {
      entries[cause] = nil
      over.append(cause)
    }
    return over
  }

  /// What lasts, in a stable order, each with the number of jobs that show it and one of them.
  var lasting: [(cause: String, jobs: Int, example: String)] {
    entries.sorted { $0.key < $1.key }.map { ($0.key, $0.value.jobs.count, $0.value.jobs.min() ?? "") }
  }
}
