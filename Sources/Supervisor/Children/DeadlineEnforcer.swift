import CLinuxShims
import Core
import Glibc
import Logging

/// Ends scripts at their limit while the child that should do it is away. It needs the job table and nothing else.
final class DeadlineEnforcer {
  private let tables: JobTables
  private let log: Logger
  /// When this enforcer sent TERM; the table can't tell, since only the child writes it.
  private var terminated: [ProcessIdentity: MonotonicTime] = [:]

  init(tables: JobTables, log: Logger) {
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
        signal(job.process, SIGTERM)
      case .kill:
        signal(job.process, SIGKILL)
      }
    }
    // One line for all of them: none did anything wrong.
    if ended > 0 { log.warning("the stop does not wait: \(ended) scripts whose child is away are ended") }
    // By the process and not by `types`: a child that came back for a moment must not grant its scripts another 5 s.
    terminated = terminated.filter { $0.key.isAlive }
    return living
  }

  private func describe(_ job: JobTables.Job) -> Logger.Metadata {
    ["type": "\(job.type.rawValue)", "job": "\(job.record.payload)", "slot": "\(job.slot)"]
  }

  private func signal(_ process: ProcessIdentity, _ number: Int32) {
    // An open descriptor keeps the pid from becoming another's between the look and the signal.
    guard let pidfd = process.open() else { return }
    defer { close(pidfd) }
    var group: Int32 = 0
    guard shim_process_stat(process.pid, nil, &group, nil, nil) == process.startTime else { return }
    if group == process.pid { kill(-group, number) } else { _ = shim_pidfd_kill(pidfd, number) }
  }
}
