import Core
import Logging
import Redis

/// The steps of coordination. Two implementers: `ScriptedCommands` does each step as one Lua script, `PlainCommands` as the plain commands
/// that a Python node uses. `ClusterClient` chooses by what the connection may do, and has what is the same for both.
///
/// Every answer comes once, on the loop. No method decides anything: what an answer means is the caller's.
protocol ClusterCommands: AnyObject {
  typealias Answer<Value> = (Result<Value, RedisError>) -> Void

  /// What this connection says it works as.
  var mark: NodeMark { get set }

  // The node's mark.

  /// Sets the mark unless another table's stands there.
  func setMark(lifetime: Duration, _ answer: @escaping Answer<MarkAnswer>)
  /// Lets the mark live on; fails as stale when it is not ours any more.
  func keepMark(lifetime: Duration, _ answer: @escaping Answer<Void>)
  func releaseMark(_ answer: @escaping Answer<Void>)

  // Jobs.

  /// Takes the lowest member of these groups whose lock is free; members whose lock is held are dropped.
  func take(_ owner: SlotOwner, groups: [Int], ttl: Duration, _ answer: @escaping Answer<Take>)
  /// The same for a queue of ticks: a member whose lock is held stays, since nobody enqueues it again before the next tick.
  func takeTick(_ owner: SlotOwner, group: Int, ttl: Duration, _ answer: @escaping Answer<Take>)
  /// Deletes the job's note and its lock; with `hold` the lock lives on for so long.
  func finish(_ job: TakenJob, hold: Duration?, _ answer: @escaping Answer<Void>)
  /// Note and lock deleted, the member back in its queue.
  func putBack(_ job: TakenJob, _ answer: @escaping Answer<Void>)

  // Locks.

  /// Renews locks, and takes them again where they are missing. One state for each job; none where the answer does not tell.
  func renew(_ jobs: [TakenJob], ttl: Duration, _ answer: @escaping Answer<[Acquisition]>)
  /// Takes or renews one lock.
  func acquire(_ lock: String, owner: String, ttl: Duration, _ answer: @escaping Answer<Acquisition>)
  /// Gives the lock of a job that runs back to it: the lock was gone, and so the job was handed out again.
  func lockAgain(_ running: TakenJob, insteadOf duplicate: TakenJob, ttl: Duration, keepsMember: Bool, _ answer: @escaping Answer<Void>)
  /// Deletes a lock of this owner under which no job of this node runs; whether it did.
  func releaseHold(_ lock: String, owner: String, _ answer: @escaping Answer<Bool>)

  // The lead.

  /// Takes or renews the master lock and reads the canary key. With scripts the node's mark lives on in the same step.
  func claim(owner: String, ttl: Duration, markLifetime: Duration, _ answer: @escaping Answer<Lead>)
  func abdicate(owner: String, _ answer: @escaping Answer<Void>)

  // Queues.

  /// Adds one chunk of members while the master lock is `leader`'s.
  func enqueue(
    _ items: [QueueItem], respectingLocks: Bool, leader: String, tick: TickRun?, isLast: Bool, _ answer: @escaping Answer<Enqueued>)
  /// The number of members in the queues of these groups.
  func waiting(_ groups: [Int], _ answer: @escaping Answer<Waiting>)
}

/// What a take found. `waiting`: members left in the queues; nil = plain commands don't tell.
enum Take: Equatable {
  case job(TakenJob, waiting: Int?, oldest: Double?)
  case empty(waiting: Int?, oldest: Double?)
}

/// Who has a lock that was asked for.
enum Acquisition: Equatable {
  case ours
  case held(by: String)
}

/// What became of a claim for the master lock.
struct Lead: Equatable {
  /// nil = it is ours.
  var owner: String?
  /// The value of the canary key.
  var memory: String?
}

/// What became of a chunk.
enum Enqueued: Equatable {
  /// So many members are new in their queues.
  case added(Int)
  /// The master lock is not ours any more.
  case unseated
  /// The tick was queued before.
  case alreadyTicked
}

struct Waiting: Equatable {
  var members: Int
  /// nil = none waits, or plain commands were used, which don't tell.
  var lowest: Double?
}

extension RedisError {
  /// A script of ours refused: it came late, or another service works under this node's name now.
  static let staleWord = "STALE"

  var isStale: Bool { kind == .other && text.hasPrefix(Self.staleWord) }
}

/// What all parts of one child's coordination share; nothing here changes.
struct ClusterContext {
  let link: any ClusterLink
  let names: ClusterNames
  let loop: EventLoop
  /// What comes before the payload (or the group) in a lock's key.
  let lockPrefix: String
  let usesGroupLocks: Bool
  let log: Logger

  func lock(of item: QueueItem) -> String { lockPrefix + (usesGroupLocks ? String(item.group) : item.payload) }

  func taken(_ item: QueueItem, _ owner: SlotOwner) -> TakenJob {
    TakenJob(item: item, lock: lock(of: item), owner: owner.name(group: item.group), slot: owner.slot)
  }

  /// `loop.now` as policies take it.
  var instant: Duration { .nanoseconds(loop.now.nanoseconds) }

  func warnBroughtBack(_ lock: String, _ slot: Int) {
    log.warning("a job was noted for slot \(slot) and ran in none: it is back in its queue (\(lock))")
  }
}

extension Duration {
  /// As Redis takes lifetimes, at least 1.
  var inWholeMilliseconds: String { String(max(1, nanoseconds / 1_000_000)) }
}

extension QueueItem {
  var scoreText: String { Int64(exactly: score).map(String.init) ?? String(score) }
}

extension TickRun {
  /// How long it is remembered: long enough to be found by whoever leads next, short enough to vanish with the type.
  var memoryLifetime: String { (period * 3 + .seconds(60)).inWholeMilliseconds }
}
