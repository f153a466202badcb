import Core
import Redis

/// The cluster's steps as the coordinator asks for them.
///
/// Each step goes to the implementer of `ClusterCommands` that the connection allows. A step whose script was refused because scripts as such
/// are is done by plain commands; a new connection tries scripts again. A step on a queue that is of another type deletes what is in
/// the queue's place and is done once more: doing it twice does no harm. What is the same with and without scripts is here.
final class ClusterClient {
  typealias Answer<Value> = (Result<Value, RedisError>) -> Void

  /// A write was refused because of the mark; called after its answer.
  var onStale: (() -> Void)?

  let context: ClusterContext
  private let scripted: any ClusterCommands
  private let plain: any ClusterCommands
  private var link: any ClusterLink { context.link }
  private var names: ClusterNames { context.names }

  init(_ context: ClusterContext, table: UInt64) {
    self.context = context
    let mark = NodeMark(table: table, connection: 0)
    scripted = ScriptedCommands(context, mark: mark)
    plain = PlainCommands(context, mark: mark)
  }

  /// The server compares this node's mark in every step that writes. Without scripts nothing asks before something is written.
  var isFenced: Bool { !link.scriptsForbidden }

  /// A connection begins: what is written on it carries its number.
  func connected(as connection: Int64) {
    scripted.mark.connection = connection
    plain.mark.connection = connection
  }

  // MARK: Steps

  func setMark(lifetime: Duration, _ answer: @escaping Answer<MarkAnswer>) {
    choose(answer) { $0.setMark(lifetime: lifetime, $1) }
  }

  func keepMark(lifetime: Duration, _ answer: @escaping Answer<Void>) {
    step(answer) { $0.keepMark(lifetime: lifetime, $1) }
  }

  func releaseMark(_ answer: @escaping Answer<Void>) { choose(answer) { $0.releaseMark($1) } }

  func take(_ owner: SlotOwner, groups: [Int], ttl: Duration, _ answer: @escaping Answer<Take>) {
    step(on: groups.map(names.queue), answer) { $0.take(owner, groups: groups, ttl: ttl, $1) }
  }

  func takeTick(_ owner: SlotOwner, group: Int, ttl: Duration, _ answer: @escaping Answer<Take>) {
    step(on: [names.queue(group)], answer) { $0.takeTick(owner, group: group, ttl: ttl, $1) }
  }

  func finish(_ job: TakenJob, hold: Duration?, _ answer: @escaping Answer<Void>) {
    step(answer) { $0.finish(job, hold: hold, $1) }
  }

  func putBack(_ job: TakenJob, _ answer: @escaping Answer<Void>) {
    step(on: [names.queue(job.item.group)], answer) { $0.putBack(job, $1) }
  }

  func renew(_ jobs: [TakenJob], ttl: Duration, _ answer: @escaping Answer<[Acquisition]>) {
    step(answer) { $0.renew(jobs, ttl: ttl, $1) }
  }

  func acquire(_ lock: String, owner: String, ttl: Duration, _ answer: @escaping Answer<Acquisition>) {
    step(answer) { $0.acquire(lock, owner: owner, ttl: ttl, $1) }
  }

  func lockAgain(_ running: TakenJob, insteadOf duplicate: TakenJob, ttl: Duration, keepsMember: Bool, _ answer: @escaping Answer<Void>) {
    step(answer) { $0.lockAgain(running, insteadOf: duplicate, ttl: ttl, keepsMember: keepsMember, $1) }
  }

  func releaseHold(_ lock: String, owner: String, _ answer: @escaping Answer<Bool>) {
    step(answer) { $0.releaseHold(lock, owner: owner, $1) }
  }

  func claim(owner: String, ttl: Duration, markLifetime: Duration, _ answer: @escaping Answer<Lead>) {
    step(answer) { $0.claim(owner: owner, ttl: ttl, markLifetime: markLifetime, $1) }
  }

  func abdicate(owner: String, _ answer: @escaping Answer<Void> = { _ in }) { step(answer) { $0.abdicate(owner: owner, $1) } }

  func enqueue(
    _ items: [QueueItem], respectingLocks: Bool, leader: String, tick: TickRun?, isLast: Bool = true, _ answer: @escaping Answer<Enqueued>
  ) {
    step(on: Set(items.map { names.queue($0.group) }).sorted(), answer) {
      $0.enqueue(items, respectingLocks: respectingLocks, leader: leader, tick: tick, isLast: isLast, $1)
    }
  }

  func waiting(_ groups: [Int], _ answer: @escaping Answer<Waiting>) { choose(answer) { $0.waiting(groups, $1) } }

  // MARK: The same with and without scripts

  /// Puts a member where its score says, also if it waits already; whether it did.
  func lift(_ item: QueueItem, _ answer: @escaping Answer<Bool>) {
    let queue = names.queue(item.group)
    mending([queue], { answer($0.map { $0.integer == 0 }) }) { [link] done in
      link.send(["ZADD", queue, item.scoreText, item.payload], done)
    }
  }

  /// Whether a member waits, or runs under its lock.
  func presence(of item: QueueItem, _ answer: @escaping (Presence) -> Void) {
    var waits = false
    link.send(["ZSCORE", names.queue(item.group), item.payload]) { if case .success(let reply) = $0, reply.text != nil { waits = true } }
    link.send(["EXISTS", context.lock(of: item)]) { result in
      if case .success(.integer(1)) = result { answer(waits ? .waits : .runs) } else { answer(waits ? .waits : .absent) }
    }
  }

  /// What is noted as in flight for this type, by slot.
  func inFlight(_ answer: @escaping Answer<[Int: TakenJob]>) {
    link.send(["HGETALL", names.inFlight]) { [weak self, names] result in
      answer(
        result.map { reply in
          let parts = (reply.elements ?? []).compactMap(\.text)
          var jobs: [Int: TakenJob] = [:]
          for index in stride(from: 0, to: parts.count - 1, by: 2) {
            let (field, text) = (parts[index], parts[index + 1])
            guard let slot = names.slot(ofField: field) else { continue }
            if let note = InFlightNote(text, slot: slot) { jobs[slot] = note.job } else { self?.deleteUnreadable(field) }
          }
          return jobs
        })
    }
  }

  private func deleteUnreadable(_ field: String) {
    context.log.warning("the note \(field) in \(names.inFlight) is unreadable and is deleted")
    link.send(["HDEL", names.inFlight, field]) { _ in }
  }

  /// Who holds the master lock, nil = nobody, and the value of the canary key.
  func lookAtLead(_ answer: @escaping Answer<Lead>) {
    link.send(["MGET", ClusterNames.masterLock, ClusterNames.memory]) { result in
      answer(
        result.flatMap { reply in
          guard let values = reply.elements, values.count == 2 else { return .failure(RedisError(.other, "unreadable answer of MGET")) }
          return .success(Lead(owner: values[0].text, memory: values[1].text))
        })
    }
  }

  /// A key in a queue's place that is no sorted set, or no hash in that of the notes, would be in everybody's way: it is deleted, with a warning.
  func mend(_ queues: [String], _ done: @escaping () -> Void = {}) {
    deleteForeign([names.inFlight], unless: "hash")
    deleteForeign(queues, unless: "zset", done)
  }

  private func deleteForeign(_ keys: [String], unless right: String, _ done: @escaping () -> Void = {}) {
    guard let last = keys.last else { return done() }
    for key in keys {
      link.send(["TYPE", key]) { [link, log = context.log] result in
        guard case .success(let reply) = result, let kind = reply.text, kind != right, kind != "none" else {
          if key == last { done() }
          return
        }
        link.send(["DEL", key]) { result in
          if case .success(.integer(1)) = result {
            log.warning("deleted \(key), a \(kind) in the place of \(right == "zset" ? "a queue" : "notes")")
          }
          if key == last { done() }
        }
      }
    }
  }

  // MARK: Choosing

  private typealias Step<Value> = (any ClusterCommands, @escaping Answer<Value>) -> Void

  /// A step that needs the mark, and the queues that it touches.
  private func step<Value>(on queues: [String] = [], _ answer: @escaping Answer<Value>, _ step: @escaping Step<Value>) {
    mending(queues, answer) { [weak self] answer in
      self?.choose(
        { [weak self] result in
          answer(result)
          if case .failure(let error) = result, error.isStale { self?.onStale?() }
        }, step)
    }
  }

  private func mending<Value>(_ queues: [String], _ answer: @escaping Answer<Value>, _ body: @escaping (@escaping Answer<Value>) -> Void) {
    guard !queues.isEmpty else { return body(answer) }
    body { [weak self] result in
      guard let self, case .failure(let error) = result, error.kind == .wrongType else { return answer(result) }
      mend(queues) { body(answer) }
    }
  }

  private func choose<Value>(_ answer: @escaping Answer<Value>, _ step: @escaping Step<Value>) {
    guard !link.scriptsForbidden else { return step(plain, answer) }
    step(scripted) { [weak self] result in
      guard let self, case .failure(let error) = result, !error.isOutage, link.scriptsForbidden else { return answer(result) }
      step(plain, answer)
    }
  }
}
