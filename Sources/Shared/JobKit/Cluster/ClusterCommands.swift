import Core
import Logging
import Redis

/// What the cluster's commands need of a connection; `RedisLink` is one.
public protocol ClusterLink: AnyObject {
  typealias Answer = (Result<RedisReply, RedisError>) -> Void
  var isUp: Bool { get }
  /// It is not up, and a try has failed.
  var isAway: Bool { get }
  /// The server, or its ACL, runs no scripts for us.
  var scriptsForbidden: Bool { get }
  /// Changes of tracked keys are told.
  var isTracking: Bool { get }
  func track(_ keys: [String], answer: @escaping (Result<Int64, RedisError>) -> Void)
  func send(_ words: [String], _ answer: @escaping Answer)
  func eval(_ script: RedisScript, keys: [String], arguments: [String], _ answer: @escaping Answer)
}

extension RedisLink: ClusterLink {
  public func send(_ words: [String], _ answer: @escaping ClusterLink.Answer) {
    send(words.map { RedisArgument($0) }, answer: answer)
  }

  public func eval(_ script: RedisScript, keys: [String], arguments: [String], _ answer: @escaping ClusterLink.Answer) {
    eval(script, keys: keys, arguments: arguments.map { RedisArgument($0) }, answer: answer)
  }
}

/// The steps of coordination as scripts, or, where those are refused, as the plain commands that a Python node uses.
///
/// With plain commands a step can be torn by a crash: a member may be lost between queue and lock, until the master enqueues it again. And
/// what the server carries out late, after its connection was given up, is not refused: a lock that is set so lives until its end.
final class ClusterCommands {
  /// `waiting`: what waits still; nil = plain commands don't tell.
  enum Take: Equatable {
    case job(TakenJob, waiting: Int?, oldest: Double?)
    case empty(waiting: Int?, oldest: Double?)
    case failed(RedisError)
  }

  /// What became of a claim for the master lock, `owner` nil = it is ours, and what the server holds under the key of its memory.
  typealias Lead = (owner: String?, memory: String?)

  typealias Done = (Result<RedisReply, RedisError>) -> Void

  let link: any ClusterLink
  let names: ClusterNames
  let usesGroupLocks: Bool
  let lockPrefix: String
  let log: Logger
  /// What this connection says it works as.
  var mark: NodeMark
  /// A script was refused because of the mark; called after its answer.
  var onStale: (() -> Void)?
  /// With plain commands the groups are asked in turn.
  var plainTurn = 0

  /// `lockPrefix`: what comes before the payload (or the group) in a lock's key.
  init(link: any ClusterLink, names: ClusterNames, mark: NodeMark, lockPrefix: String, usesGroupLocks: Bool, log: Logger) {
    self.log = log
    self.mark = mark
    self.link = link
    self.names = names
    self.lockPrefix = lockPrefix
    self.usesGroupLocks = usesGroupLocks
  }

  // MARK: Ending

  func finish(_ job: TakenJob, hold: Duration?, _ done: @escaping Done) {
    let held = hold.map(milliseconds) ?? "0"
    let field = names.field(job.slot)
    eval(ClusterScripts.finish, [names.inFlight, job.lock], [field, job.owner, held], done) { [self] in
      link.send(["HDEL", names.inFlight, field]) { _ in }
      ifOwner(job, done) { [self] in
        link.send(held == "0" ? ["DEL", job.lock] : ["PEXPIRE", job.lock, held], done)
      }
    }
  }

  func putBack(_ job: TakenJob, _ done: @escaping Done) {
    let field = names.field(job.slot)
    let queue = names.queue(job.item.group)
    let score = text(job.item.score)
    mending([queue], done) { [self] done in
      eval(ClusterScripts.putBack, [names.inFlight, job.lock, queue], [field, job.owner, score, job.item.payload], done) { [self] in
        ifOwner(job, { _ in }) { [self] in link.send(["DEL", job.lock]) { _ in } }
        link.send(["ZADD", queue, "NX", score, job.item.payload], done)
        link.send(["HDEL", names.inFlight, field]) { _ in }
      }
    }
  }

  func ifOwner(_ job: TakenJob, _ done: @escaping Done, _ body: @escaping () -> Void) {
    link.send(["GET", job.lock]) { result in
      if case .success(let reply) = result, reply.text == job.owner { body() } else { done(result) }
    }
  }

  // MARK: Filling

  /// Adds one chunk; the answer -1 says that the master lock is not ours any more, -2 that the tick was queued before.
  func enqueue(_ items: [QueueItem], respectingLocks: Bool, leader: String, tick: TickRun?, isLast: Bool = true, _ done: @escaping Done) {
    let key = tick.map { names.tick($0.name) }
    // Long enough to be found by whoever leads next, short enough to vanish with the type.
    let lifetime = milliseconds((tick?.period ?? .zero) * 3 + .seconds(60))
    var arguments = [leader, respectingLocks ? "1" : "0", String(tick?.boundary ?? 0), lifetime]
    let known = tick?.known.map { String($0) } ?? ""
    arguments += [known, isLast ? "1" : "0"]
    for item in items {
      let lock = lockPrefix + (usesGroupLocks ? String(item.group) : item.payload)
      arguments += [names.queue(item.group), text(item.score), item.payload, lock]
    }
    let queues = Set(items.map { names.queue($0.group) }).sorted()
    mending(queues, done) { [self] done in
      eval(ClusterScripts.enqueue, [ClusterNames.masterLock] + (key.map { [$0] } ?? []), arguments, done) { [self] in
        link.send(["GET", ClusterNames.masterLock]) { [weak self] result in
          guard let self, case .success(let reply) = result else { return done(result) }
          guard reply.text == leader else { return done(.success(.integer(-1))) }
          guard let tick, let key else { return plainEnqueue(items, done) }
          link.send(["GET", key]) { [weak self] result in
            guard let self, case .success(let last) = result else { return done(result) }
            if let last = last.integer, last >= tick.boundary, last != tick.known { return done(.success(.integer(-2))) }
            plainEnqueue(items) { [weak self] result in
              if case .success = result, isLast { self?.link.send(["SET", key, String(tick.boundary), "PX", lifetime]) { _ in } }
              done(result)
            }
          }
        }
      }
    }
  }

  /// One command per queue, as a Python node does it; a member whose lock is held is dropped by whoever takes it.
  private func plainEnqueue(_ items: [QueueItem], _ done: @escaping Done) {
    let queues = Dictionary(grouping: items, by: \.group).sorted { $0.key < $1.key }
    guard !queues.isEmpty else { return done(.success(.integer(0))) }
    var left = queues.count
    var added: Int64 = 0
    var failure: RedisError?
    for (group, members) in queues {
      link.send(["ZADD", names.queue(group), "NX"] + members.flatMap { [self.text($0.score), $0.payload] }) { result in
        switch result {
        case .success(let reply): added += reply.integer ?? 0
        case .failure(let error): failure = error
        }
        left -= 1
        if left == 0 { done(failure.map { .failure($0) } ?? .success(.integer(added))) }
      }
    }
  }

  func lift(_ item: QueueItem, _ done: @escaping Done) {
    let queue = names.queue(item.group)
    mending([queue], done) { [self] done in link.send(["ZADD", queue, text(item.score), item.payload], done) }
  }

  func releaseHold(_ lock: String, owner: String, _ done: @escaping Done) {
    eval(ClusterScripts.releaseHold, [names.inFlight, lock], [owner], done) { [self] in
      link.send(["GET", lock]) { [weak self] result in
        if case .success(let reply) = result, reply.text == owner { self?.link.send(["DEL", lock], done) } else { done(result) }
      }
    }
  }

  // MARK: Keeping

  func renew(_ jobs: [TakenJob], ttl: Duration, _ done: @escaping Done) {
    eval(ClusterScripts.renew, jobs.map(\.lock), [milliseconds(ttl)] + jobs.map(\.owner), done) { [self] in
      for job in jobs {
        link.send(["SET", job.lock, job.owner, "PX", milliseconds(ttl), "NX"]) { [weak self] _ in
          self?.ifOwner(job, { _ in }) { self?.link.send(["PEXPIRE", job.lock, self?.milliseconds(ttl) ?? "60000"]) { _ in } }
        }
      }
      done(.success(.null))
    }
  }

  /// Takes or renews a lock; the answer is 1, or who holds it.
  func own(_ key: String, owner: String, ttl: Duration, _ done: @escaping Done) {
    eval(ClusterScripts.own, [key], [owner, milliseconds(ttl)], done) { [self] in
      link.send(["SET", key, owner, "PX", milliseconds(ttl), "NX"]) { _ in }
      link.send(["GET", key]) { [weak self] result in
        guard case .success(let reply) = result, reply.text == owner else { return done(result) }
        self?.link.send(["PEXPIRE", key, self?.milliseconds(ttl) ?? "20000"]) { _ in done(.success(.integer(1))) }
      }
    }
  }

  /// Gives the lock of a job that runs back to it: the lock was gone, and so the job was handed out again.
  func lockAgain(_ running: TakenJob, insteadOf duplicate: TakenJob, ttl: Duration, keepsMember: Bool, _ done: @escaping () -> Void) {
    let (item, field) = (duplicate.item, names.field(duplicate.slot))
    let (queue, score) = (names.queue(item.group), text(item.score))
    let arguments = [field, duplicate.owner, running.owner, milliseconds(ttl), keepsMember ? score : "", item.payload]
    eval(ClusterScripts.lockAgain, [names.inFlight, running.lock, queue], arguments, { _ in done() }) { [weak self] in
      guard let self else { return }
      ifOwner(duplicate, { _ in }) { [self] in link.send(["SET", running.lock, running.owner, "PX", milliseconds(ttl)]) { _ in } }
      link.send(["HDEL", names.inFlight, field]) { _ in done() }
      if keepsMember { link.send(["ZADD", queue, "NX", score, item.payload]) { _ in } }
    }
  }

  /// The same for the master lock, and what the server holds under the key of its memory, in one step, in which the node's mark lives on for
  /// `lifetime`. Plain commands leave the mark alone.
  func claim(owner: String, ttl: Duration, lifetime: Duration, _ answer: @escaping (Result<Lead, RedisError>) -> Void) {
    let (key, memory) = (ClusterNames.masterLock, ClusterNames.memory)
    let done: Done = { result in
      answer(
        result.map { reply in
          let texts = (reply.elements ?? []).map { $0.text.flatMap { $0.isEmpty ? nil : $0 } }
          return (texts.first ?? nil, texts.dropFirst().first ?? nil)
        })
    }
    let arguments = [owner, milliseconds(ttl), milliseconds(lifetime)]
    eval(ClusterScripts.claim, [key, memory, names.alive], arguments, done) { [self] in
      var remembered: String?
      var refusal: RedisError?
      link.send(["SET", key, owner, "PX", milliseconds(ttl), "NX"]) { if case .failure(let error) = $0 { refusal = error } }
      // One by one: an ACL may allow the contract's keys only.
      link.send(["GET", memory]) { if case .success(let reply) = $0 { remembered = reply.text } }
      link.send(["GET", key]) { [weak self] result in
        guard let self, case .success(let reply) = result else { return done(result) }
        if reply.text == nil, let refusal { return answer(.failure(refusal)) }
        guard reply.text == owner else { return answer(.success((reply.text ?? "nobody", remembered))) }
        link.send(["PEXPIRE", key, milliseconds(ttl)]) { _ in answer(.success((nil, remembered))) }
      }
    }
  }

  func abdicate(owner: String, _ done: @escaping Done) {
    let key = ClusterNames.masterLock
    eval(ClusterScripts.abdicate, [key], [owner], done) { [self] in
      link.send(["GET", key]) { [weak self] result in
        if case .success(let reply) = result, reply.text == owner { self?.link.send(["DEL", key], done) } else { done(result) }
      }
    }
  }

  /// What is noted as in flight for this type, by slot.
  func inFlight(_ answer: @escaping (Result<[Int: TakenJob], RedisError>) -> Void) {
    link.send(["HGETALL", names.inFlight]) { [weak self, names] result in
      answer(
        result.map { reply in
          let parts = (reply.elements ?? []).compactMap(\.text)
          var jobs: [Int: TakenJob] = [:]
          for (field, text) in zip(
            stride(from: 0, to: parts.count - 1, by: 2).map { parts[$0] }, stride(from: 1, to: parts.count, by: 2).map { parts[$0] })
          {
            guard let slot = names.slot(ofField: field) else { continue }
            if let note = InFlightNote(text, slot: slot) { jobs[slot] = note.job } else { self?.deleteUnreadable(field) }
          }
          return jobs
        })
    }
  }

  private func deleteUnreadable(_ field: String) {
    log.warning("the note \(field) in \(names.inFlight) is unreadable and is deleted")
    link.send(["HDEL", names.inFlight, field]) { _ in }
  }

  // MARK: Mending

  /// A key in a queue's place that is no sorted set, or no hash in that of the notes, would be in everybody's way: it is deleted, with a warning.
  func mend(_ queues: [String], _ done: @escaping () -> Void = {}) {
    deleteForeign([names.inFlight], unless: "hash")
    deleteForeign(queues, unless: "zset", done)
  }

  private func deleteForeign(_ keys: [String], unless right: String, _ done: @escaping () -> Void = {}) {
    guard let last = keys.last else { return done() }
    for key in keys {
      link.send(["TYPE", key]) { [link, log] result in
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

  /// Does something with queues, and once more if one of them was of another type. Doing it twice does no harm.
  private func mending(_ queues: [String], _ done: @escaping Done, _ body: @escaping (@escaping Done) -> Void) {
    body { [weak self] result in
      guard let self, case .failure(let error) = result, error.kind == .wrongType else { return done(result) }
      mend(queues) { body(done) }
    }
  }

  /// How many members wait in the queues of these groups, and the lowest score (nil with plain commands), in one round trip.
  func waiting(_ groups: [Int], _ answer: @escaping (Result<(waiting: Int, lowest: Double?), RedisError>) -> Void) {
    let queues = groups.map(names.queue)
    let done: Done = { result in
      answer(
        result.map { reply in
          (reply.elements?.first?.integer.map { Int($0) } ?? 0, reply.elements?.dropFirst().first?.text.flatMap(Double.init))
        })
    }
    evalUnmarked(ClusterScripts.waiting, queues, [], done) { [link] in
      var sum: Int64 = 0
      var failure: RedisError?
      for (index, queue) in queues.enumerated() {
        link.send(["ZCARD", queue]) { result in
          switch result {
          case .success(let reply): sum += reply.integer ?? 0
          case .failure(let error): failure = error
          }
          guard index == queues.count - 1 else { return }
          answer(failure.map { .failure($0) } ?? .success((Int(sum), nil)))
        }
      }
    }
  }

  /// A script that needs the mark, or `plain` where scripts are refused.
  func eval(_ script: RedisScript, _ keys: [String], _ arguments: [String], _ done: @escaping Done, plain: @escaping () -> Void) {
    let done: Done = { [weak self] result in
      done(result)
      if case .failure(let error) = result, error.isStale { self?.onStale?() }
    }
    evalUnmarked(script, [names.alive] + keys, [mark.text] + arguments, done, plain: plain)
  }

  func evalUnmarked(_ script: RedisScript, _ keys: [String], _ arguments: [String], _ done: @escaping Done, plain: @escaping () -> Void) {
    guard !link.scriptsForbidden else { return plain() }
    link.eval(script, keys: keys, arguments: arguments) { [weak self] result in
      if case .failure(let error) = result, !error.isOutage, self?.link.scriptsForbidden == true { plain() } else { done(result) }
    }
  }

  func milliseconds(_ duration: Duration) -> String { String(max(1, duration.nanoseconds / 1_000_000)) }

  func text(_ score: Double) -> String { Int64(exactly: score).map(String.init) ?? String(score) }
}
