import Core
import Glibc

/// Scripts in the control group of their type.
extension JobEngine {
  /// What the settings say about the group and the memory.
  func applyGroup() {
    let directory = settings.controlGroups.map { "\($0)/\(type.type.rawValue)" }
    if directory != group || groupFailed { openGroup(directory) }
    gate.change(threshold: settings.memoryPressure)
  }

  private func openGroup(_ directory: String?) {
    group = nil
    groupFailed = false
    do throws(SystemError) {
      try host.useGroup(directory)
      group = directory
    } catch {
      lose(error)
    }
  }

  /// Without its group a script has no limits, which is better than no script.
  func noteGroup(_ failure: SystemError?) {
    guard let failure, !groupFailed else { return }
    lose(failure)
  }

  private func lose(_ error: SystemError) {
    groupFailed = true
    log.error("\(error): scripts start without the limits of their type until the next reload")
  }

  /// A refused fork may be the type's own limit: the kernel says the same for that and for a full machine.
  func tasksHint(_ error: SystemError) -> String {
    guard error.number == EAGAIN, group != nil, let limit = settings.limits[type.type]?.resources[.tasksMax] else { return "" }
    return ", perhaps for \(Resource.tasksMax.setting(type.type))=\(limit.text)"
  }

  /// Whether memory is why a script ended badly; nil: nothing says so.
  func memoryReason(_ slot: JobSlot, _ status: ExitStatus) -> String? {
    // What this process itself has ended is known as such.
    guard status != .exited(0), table.terminatedAt(slot.index, now: loop.now) == nil else { return nil }
    let limit = settings.limits[type.type]?.resources[.memoryMax].map { "\(Resource.memoryMax.setting(type.type))=\($0.text)" }
    guard let reason = ScriptGroup.reason(before: slot.killsBefore, after: host.memoryKills, limit: limit) else { return nil }
    // A program that the script had started may have been taken, or one of another script.
    return status == .signalled(SIGKILL) ? reason : "while it ran, a process of the \(type.type.rawValue) scripts was \(reason)"
  }
}
