import Core

/// Where this service works: its base directory, and the runtime directory with the operator socket.
extension Supervisor {
  /// What is wrong with it now.
  var complaints: [Complaint] {
    let runtime = placeFailure.map {
      Complaint(
        "the runtime directory \(host.runtimeDirectory) is gone and can't be made anew: \($0). Commands don't find this service, and scripts can't be "
          + "adopted after a crash", isFatal: false)
    }
    return [baseWatch.complaint, runtime].compactMap { $0 }
  }

  /// False: it was said why not.
  @discardableResult
  func openEntrance() -> Bool {
    do throws(SystemError) {
      entrance = try host.openOperatorSocket { [weak self] request, answer in self?.serve(request, answer) }
      return true
    } catch {
      if placeFailure != "\(error)" { log.error("status, health and reload won't find this service: \(error)") }
      placeFailure = "\(error)"
      return false
    }
  }

  /// To be called about every second: a few looks at names on a local file system.
  func watchPlace(_ now: MonotonicTime) {
    guard stopping == nil else { return }
    baseWatch.turn(now: now)
    let isClaimed = host.isRuntimeDirectoryInPlace
    if isClaimed, entrance?.isInPlace ?? false { return }
    let old = host.runtimeDirectory
    if !isClaimed {
      do throws(RuntimePlace.Refusal) { try host.restoreRuntimeDirectory() } catch {
        let reason = error.description
        guard reason != placeFailure else { return }
        placeFailure = reason
        return log.error("the runtime directory \(old) was removed under this service and can't be made anew: \(reason); it is tried again")
      }
    }
    entrance?.close()
    entrance = nil
    guard openEntrance() else { return }
    placeFailure = nil
    let what = isClaimed ? "the operator socket in \(old)" : "the runtime directory \(old)"
    let whereTo = old == host.runtimeDirectory ? "made anew" : "now \(host.runtimeDirectory)"
    log.warning("\(what) was removed under this service: it is \(whereTo)")
    if old != host.runtimeDirectory { for child in children { child.move(to: host.runtimeDirectory) } }
    // PHP's file cache may have been in it.
    if !isClaimed { automaticReload.wanted("the runtime directory was made anew") }
  }
}
