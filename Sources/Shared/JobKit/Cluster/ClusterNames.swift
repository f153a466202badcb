import Core

/// The names of the contract's keys in Redis.
public struct ClusterNames: Sendable {
  public static let masterLock = "librenms.lock:dispatch.master"

  /// A key without an end, set by whoever leads: where it is missing the server has forgotten all queues and locks.
  public static let memory = "librenms.memory"

  let type: TaskType
  let node: String
  let queuePrefix: String

  /// `node`: the node's uuid.
  public init(type: TaskType, node: String) {
    self.type = type
    self.node = node
    queuePrefix = "librenms.queue:\(type.rawValue):"
    inFlight = "librenms.inflight:\(node)"
    alive = "librenms.alive:\(node):\(type.rawValue)"
  }

  public func queue(_ group: Int) -> String { "\(queuePrefix)\(group)" }

  /// The mark of the one service that works under the node's name. Ours alone.
  public let alive: String

  /// The last run of an epoch-aligned tick, whoever led then: seconds since the epoch. Ours alone, Python nodes don't know it.
  public func tick(_ name: String) -> String { "librenms.tick:\(type.rawValue):\(name.split(separator: " ").joined(separator: "-"))" }

  public func lock(_ name: String) -> String { "librenms.lock:\(name)" }

  /// What was taken and has not ended: a hash per node, so that a successor finds what never reached the job table.
  public let inFlight: String

  /// The field of a slot in it.
  public func field(_ slot: Int) -> String { "\(type.rawValue):\(slot)" }

  /// The slot of a field, if it is this type's.
  public func slot(ofField field: String) -> Int? {
    let parts = field.split(separator: ":")
    return parts.count == 2 && parts[0] == type.rawValue ? Int(parts[1]) : nil
  }
}

/// What a field of the in-flight hash says, as tab-separated text: group, score, lock, owner, payload.
public struct InFlightNote: Equatable, Sendable {
  public var job: TakenJob

  public init(job: TakenJob) { self.job = job }

  /// nil = not written by any version of this program.
  public init?(_ text: String, slot: Int) {
    let parts = text.split(separator: "\t", maxSplits: 4, omittingEmptySubsequences: false)
    guard parts.count == 5, let group = Int(parts[0]), let score = Double(parts[1]) else { return nil }
    let item = QueueItem(payload: String(parts[4]), group: group, score: score)
    job = TakenJob(item: item, lock: String(parts[2]), owner: String(parts[3]), slot: slot)
  }

  public var text: String { "\(job.item.group)\t\(job.item.score)\t\(job.lock)\t\(job.owner)\t\(job.item.payload)" }
}
