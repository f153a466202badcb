import Core

/// What `poll` and `discover` say of each device, one line.
enum OnDemandText {
  static func line(_ result: OnDemandResult, _ type: TaskType) -> String {
    StatusText.clip("\(type.rawValue) \(result.payload): \(describe(result.outcome))")
  }

  private static func describe(_ outcome: OnDemandResult.Outcome) -> String {
    switch outcome {
    case .queued(let group): "queued first" + elsewhere(group)
    case .lifted(let group): "was waiting, now first" + elsewhere(group)
    case .running(let lock): "running\(since(lock, preposition: "on")) \(owner(lock))"
    case .locked(let lock) where lock.isRunning == false:
      "not queued: its lock is kept after a run\(place(lock, preposition: "on")) \(owner(lock))\(end(lock))"
    case .locked(let lock): "not queued: locked\(since(lock, preposition: "by")) \(owner(lock))\(end(lock))"
    case .noSuchDevice: "no such device"
    case .disabled: "disabled: it would be skipped; enable the device first"
    case .notServed(let group): "not queued: it is in poller group \(group), which this node does not serve; ask on a node that does"
    case .refused(let why): "not queued: \(why)"
    }
  }

  private static func elsewhere(_ group: Int?) -> String { group.map { ", for a node that serves poller group \($0)" } ?? "" }

  private static func since(_ lock: LockReport, preposition: String) -> String {
    let age = lock.age.map { " since \(lock.isAgeEstimated ? "about " : "")\(StatusText.age($0))" } ?? ""
    return age + place(lock, preposition: preposition)
  }

  private static func place(_ lock: LockReport, preposition: String) -> String {
    LockOwner(lock.owner).map { " \(preposition) \($0.node)" } ?? ""
  }

  private static func owner(_ lock: LockReport) -> String { "(owner \(lock.owner))" }

  private static func end(_ lock: LockReport) -> String {
    lock.remaining.map { "; free in \(StatusText.age($0)) at the latest" } ?? ""
  }
}
