import Core

/// Who holds a job's lock: `<poller name>-<uuid>-<Type>_<group>-<slot>`, slots from 1, as a Python node writes it.
public struct SlotOwner: Equatable, Sendable {
  /// `<poller name>-<uuid>-<Type>_`
  public var prefix: String
  /// From 0.
  public var slot: Int

  public init(prefix: String, slot: Int) {
    self.prefix = prefix
    self.slot = slot
  }

  public var suffix: String { "-\(slot + 1)" }

  public func name(group: Int) -> String { "\(prefix)\(group)\(suffix)" }
}

/// A job that was taken from a queue, its lock held.
public struct TakenJob: Equatable, Sendable {
  public var item: QueueItem
  public var lock: String
  public var owner: String
  /// The slot that took it, from 0.
  public var slot: Int

  public init(item: QueueItem, lock: String, owner: String, slot: Int) {
    self.item = item
    self.lock = lock
    self.owner = owner
    self.slot = slot
  }
}

/// What became of a `take`.
public enum TakeResult: Equatable, Sendable {
  case job(TakenJob)
  /// Nothing waits that could be taken now.
  case empty
  /// The coordinator can't be asked now; it wakes the engine when it can again.
  case unavailable
}

/// What became of an `enqueue`.
public enum EnqueueResult: Equatable, Sendable {
  case done
  /// Another node has queued this tick already.
  case alreadyTicked
  /// Not ours to fill, or the server is away: nothing, or only a part, is queued.
  case refused
}

/// A run of a tick, so that a cluster queues it once.
public struct TickRun: Equatable, Sendable {
  public var name: String
  /// Seconds since the epoch at which its interval begins.
  public var boundary: Int64
  public var period: Duration
  /// The boundary of the last run that this node knows of.
  public var known: Int64?

  public init(name: String, boundary: Int64, period: Duration, known: Int64? = nil) {
    self.known = known
    self.name = name
    self.boundary = boundary
    self.period = period
  }
}

/// Where the last run of a tick is remembered.
public enum TickMemory: Equatable, Sendable {
  /// In the job table.
  case own
  /// In the cluster: its boundary, nil = it never ran.
  case shared(Int64?)
  case unavailable
}

/// Where a member is.
public enum Presence: Equatable, Sendable {
  case absent
  case waits
  /// Its lock is held, and it does not wait beside that.
  case runs
}

/// A lock and who holds it.
public struct LockHolder: Equatable, Sendable {
  public var owner: String
  /// nil = until it is released.
  public var remaining: Duration?
  /// Whether a job runs under it; nil = not known here.
  public var isRunning: Bool?

  public init(owner: String, remaining: Duration?, isRunning: Bool? = nil) {
    self.owner = owner
    self.remaining = remaining
    self.isRunning = isRunning
  }
}

/// Why the store of queues and locks could not be asked.
public struct CoordinatorFailure: Error, Equatable, Sendable {
  public var reason: String

  public init(_ reason: String) { self.reason = reason }
}

/// The queue and the locks of one type, wherever they live: in this process for a node alone, in Redis for a cluster.
///
/// Every method returns at once and answers on the loop, in the order of the calls. None may block.
public protocol Coordinator: AnyObject {
  /// Something was enqueued, or the coordinator is available again: a `take` may be worth it.
  var onWake: (() -> Void)? { get set }
  /// May this node fill queues now?
  var leads: Bool { get }
  /// The server of the queue is away. Before the first try to reach it has failed it is not.
  var isAway: Bool { get }
  /// True: nothing tells of members that others enqueue, so a `take` a second has to look.
  var needsPolling: Bool { get }

  /// To be called about every second.
  func turn(at now: MonotonicTime)
  /// Adds what does not wait yet. With `respectingLocks`, members whose lock is held are left out.
  func enqueue(_ items: [QueueItem], respectingLocks: Bool, tick: TickRun?, _ done: @escaping (EnqueueResult) -> Void)
  /// When a tick ran last; asked when this node begins to lead.
  func lastTick(_ name: String, _ answer: @escaping (TickMemory) -> Void)
  /// Puts a member where `score` says, also if it waits already.
  /// Answers whether it did.
  func lift(_ item: QueueItem, _ answer: @escaping (Result<Bool, CoordinatorFailure>) -> Void)
  /// Where a member is now.
  func presence(of item: QueueItem, _ answer: @escaping (Presence) -> Void)
  /// Takes the lowest member whose lock is free and holds its lock as `owner`; members whose lock is held are dropped, ticks stay.
  func take(_ owner: SlotOwner, _ answer: @escaping (TakeResult) -> Void)
  /// How many takes more are worth it now: what waits, less the takes that are under way, but one to look if there is none.
  var worthwhileTakes: Int { get }
  /// The job is over: its lock ends now, or after `hold`. `done` is called once when that is known where the lock is, or can't be told now:
  /// until then a successor has to find the job in the table, or it would take its note there for a job that never ran.
  func finish(_ job: TakenJob, hold: Duration?, _ done: @escaping () -> Void)
  /// The job could not be looked at now: back with its score, lock released.
  func putBack(_ job: TakenJob)
  /// A predecessor's job whose process never ran: back with its score, lock released, as soon as that is possible.
  func putBackUnstarted(_ job: TakenJob)
  /// A predecessor's job that still runs: its lock is ours.
  func adopt(_ job: TakenJob)
  /// A cool-down known from the job table.
  func restore(lock: String, owner: String, until: MonotonicTime)
  /// Who holds the lock, as far as it is known here without asking anybody.
  func isHeld(_ lock: String) -> Bool
  /// Who holds the lock, nil = nobody. `lock` as the type names it.
  func holder(of lock: String, _ answer: @escaping (Result<LockHolder?, CoordinatorFailure>) -> Void)
  /// Ends a hold of this owner under which no job of this node runs; answers whether it did.
  func releaseHold(_ lock: String, owner: String, _ answer: @escaping (Result<Bool, CoordinatorFailure>) -> Void)
  /// All locks that can be seen from here, at most `LockPage.limit`, and how many there are beyond.
  func locks(_ answer: @escaping (Result<(locks: [LockReport], omitted: Int), CoordinatorFailure>) -> Void)
  /// The service stops: leadership is given back.
  func retire(_ done: @escaping () -> Void)
  /// Its last script has ended: nothing of this node is left here.
  func leave(_ done: @escaping () -> Void)
  /// Why nothing is handed out or queued although the server answers; nil = nothing of that.
  var fault: String? { get }

  /// Members that wait in the queues of this node's groups, and since when the longest does.
  var depth: Int { get }
  /// False: the figure is old, since the server of the queue could not be asked for it lately.
  var depthIsKnown: Bool { get }
  var oldest: MonotonicTime? { get }
}

extension Coordinator {
  public func leave(_ done: @escaping () -> Void) { retire(done) }
  public var fault: String? { nil }

  /// Of a job that never reached the table.
  public func finish(_ job: TakenJob, hold: Duration?) { finish(job, hold: hold) {} }

  public func enqueue(_ items: [QueueItem], respectingLocks: Bool) {
    enqueue(items, respectingLocks: respectingLocks, tick: nil) { _ in }
  }
}
