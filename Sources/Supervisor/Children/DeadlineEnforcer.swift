import Core
import Glibc
import Logging

/// Ends scripts at their limit while the child that should do it is away. It needs the job table and nothing else.
final class DeadlineEnforcer {
  private let host: any SupervisorHost
  private let tables: JobTables
  private let log: Logger
  /// When this enforcer sent TERM; the table can't tell, since only the child writes it.
  private var terminated: [ProcessIdentity: MonotonicTime] = [:]

  init(host: any SupervisorHost, tables: JobTables, log: Logger) {
    self.host = host
    self.tables = tables
    self.log = log
  }

  /// Looks at the scripts of types without a child. `now`: the present; `endAll`: the operator does not want to wait for any of them.
  /// Returns how many live.
  func enforce(_ types: [TaskType], now: MonotonicTime, endAll: Bool) -> Int {
    var living = 0
    var ended = 0
    for job in types.flatMap({ tables.running($0) }) {
      living += 1
      let deadline = endAll ? now : job.record.deadline
      switch DeadlinePolicy.action(deadline: deadline, terminatedAt: terminated[job.process] ?? job.terminatedAt, now: now) {
      case .none: continue
      case .terminate:
        if endAll {
          ended += 1
        } else {
          log.warning("ending the group of script \(job.process.pid): it is over its limit, and its child is away", metadata: describe(job))
        }
        terminated[job.process] = now
        host.signal(job.process, SIGTERM)
      case .kill:
        host.signal(job.process, SIGKILL)
      }
    }
    // One line for all of them: none did anything wrong.
    if ended > 0 { log.warning("the stop does not wait: \(ended) scripts whose child is away are ended") }
    // By the process and not by `types`: a child that came back for a moment must not grant its scripts another 5 s.
    terminated = terminated.filter { host.isAlive($0.key) }
    return living
  }

  private func describe(_ job: JobTables.Job) -> Logger.Metadata {
    ["type": "\(job.type.rawValue)", "job": "\(job.record.payload)", "slot": "\(job.slot)"]
  }
}
