import CLinuxShims
import Core
import Glibc

extension Supervisor {
  /// Ends per turn of the loop; the rest follows in the next one.
  private static let budget = 256

  /// The only place where processes are reaped: children, the configuration helper, and scripts whose child died.
  func reap() {
    var exit = shim_exit()
    for _ in 0..<Self.budget {
      guard shim_look_any(&exit) == 1 else { return lookForStopped() }
      let pid = exit.pid
      let status = ExitStatus(exit)
      if let child = children.first(where: { $0.pid == pid }) {
        guard shim_reap_pid(pid, &exit) == 1 else { return }
        child.exited(status)
      } else if loader.pid == pid {
        // Its own session: whatever it started ends with it.
        kill(-pid, SIGKILL)
        guard shim_reap_pid(pid, &exit) == 1 else { return }
        _ = loader.reaped(pid, status)
      } else {
        guard reapOrphan(pid, status) else { return }
      }
    }
    loop.afterTurn { [weak self] in self?.reap() }
  }

  /// A process that is not ours by birth. While it is a zombie its pid and its group can't be anybody else's: so first the look, then the
  /// rest of its group, then the reaping.
  private func reapOrphan(_ pid: Int32, _ status: ExitStatus) -> Bool {
    var group: Int32 = 0
    let process = ProcessIdentity(pid: pid, startTime: shim_process_stat(pid, nil, &group, nil, nil))
    let owner = tables.owner(of: process, among: SupervisedTypes.all)
    // Only a script's group: an orphan that no table knows may be a daemon's first half, whose second half is meant to live.
    if owner != nil, group == pid { kill(-group, SIGKILL) }
    var exit = shim_exit()
    guard shim_reap_pid(pid, &exit) == 1 else { return false }
    guard let owner else { return true }
    let entry = OrphanStatuses.Entry(type: owner, process: process, status: status)
    orphans.keep(entry)
    log.debug("orphan \(pid) of \(owner.rawValue) ended with \(status)")
    children.first { $0.type == owner }?.tell(entry)
    if stopping != nil { loop.afterTurn { [weak self] in self?.considerEnd() } }
    return true
  }

  private func lookForStopped() {
    while case let pid = shim_look_stopped(), pid > 0 {
      children.first { $0.pid == pid }?.stopped()
    }
  }
}
