import Core

extension Supervisor {
  /// Ends per turn of the loop; the rest follows in the next one.
  private static let budget = 256

  /// The only place where processes are reaped: children, the configuration helper, and scripts whose child died.
  func reap() {
    for _ in 0..<Self.budget {
      guard let ended = host.nextEnded() else { return lookForStopped() }
      let pid = ended.process.pid
      if let child = children.first(where: { $0.pid == pid }) {
        guard host.reap(pid) else { return }
        #if MUTANTS
          if Mutant.active == .scriptsDieWithChild { for job in tables.running(child.type) { host.signal(job.process, 9) } }
        #endif
        child.exited(ended.status)
      } else if loader.pid == pid {
        // Its own session: whatever it started ends with it.
        host.killGroup(pid)
        guard host.reap(pid) else { return }
        _ = loader.reaped(pid, ended.status)
      } else {
        guard reapOrphan(ended) else { return }
      }
    }
    loop.afterTurn { [weak self] in self?.reap() }
  }

  /// A process that is not ours by birth. While it is a zombie its pid and its group can't be anybody else's: so first the look, then the
  /// rest of its group, then the reaping.
  private func reapOrphan(_ ended: EndedProcess) -> Bool {
    let process = ended.process
    let owner = tables.owner(of: process, among: SupervisedTypes.all)
    // Only a script's group: an orphan that no table knows may be a daemon's first half, whose second half is meant to live.
    if owner != nil, ended.group == process.pid { host.killGroup(process.pid) }
    guard host.reap(process.pid) else { return false }
    guard let owner else { return true }
    let entry = OrphanStatuses.Entry(type: owner, process: process, status: ended.status)
    orphans.keep(entry)
    log.debug("orphan \(process.pid) of \(owner.rawValue) ended with \(ended.status)")
    children.first { $0.type == owner }?.tell(entry)
    if stopping != nil { loop.afterTurn { [weak self] in self?.considerEnd() } }
    return true
  }

  private func lookForStopped() {
    while let pid = host.nextStopped() { children.first { $0.pid == pid }?.stopped() }
  }
}
