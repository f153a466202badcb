import Core

/// Which queues the server watches for this node: it tells of a tracked key's next change, once.
final class QueueWatch {
  private let context: ClusterContext
  private let groups: () -> [Int]
  /// Queues whose next change the server will tell.
  private var tracked: Set<String> = []
  private var isScheduled = false

  init(_ context: ClusterContext, groups: @escaping () -> [Int]) {
    self.context = context
    self.groups = groups
  }

  /// The next change of every queue of this node is told.
  var isComplete: Bool { context.link.isTracking && missing.isEmpty }

  private var missing: [String] { groups().map(context.names.queue).filter { !tracked.contains($0) } }

  /// Asks the server to tell of the next change of each queue that is not watched yet, after the `pause` that is due. `isWanted`: whether
  /// it still is after the pause. `found`: some of these queues exist, so there may be something by now.
  func complete(pause: @escaping () -> Duration, isWanted: @escaping () -> Bool, found: @escaping ([String]) -> Void) {
    guard context.link.isTracking, !missing.isEmpty, !isScheduled else { return }
    let wait = pause()
    guard wait == .zero else {
      isScheduled = true
      return _ = context.loop.schedule(after: wait) { [weak self] in
        guard let self else { return }
        isScheduled = false
        if isWanted() { complete(pause: pause, isWanted: isWanted, found: found) }
      }
    }
    let keys = missing
    tracked.formUnion(keys)
    context.link.track(keys) { [weak self] result in
      switch result {
      case .success(let existing): if existing > 0 { found(keys) }
      case .failure: self?.tracked.subtract(keys)
      }
    }
  }

  /// These keys have changed, or any may have (nil): their next change is not told.
  func changed(_ keys: [String]?) {
    if let keys { tracked.subtract(keys) } else { tracked = [] }
  }
}
