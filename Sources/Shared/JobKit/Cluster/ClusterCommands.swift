import Core
import Redis

/// What the cluster's commands need of a connection; `RedisLink` is one.
public protocol ClusterLink: AnyObject {
  typealias Answer = (Result<RedisReply, RedisError>) -> Void
  var isUp: Bool { get }
  /// The server's ACL forbids scripts to our user.
  var scriptsForbidden: Bool { get }
  /// Changes of tracked keys are told.
  var isTracking: Bool { get }
  func track(_ key: String, answer: @escaping (Result<Int64, RedisError>) -> Void)
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

/// The steps of coordination as scripts, or, where the ACL forbids those, as the plain commands that a Python node uses.
///
/// With plain commands a step can be torn by a crash: a member may be lost between queue and lock, until the master enqueues it again.
final class ClusterCommands {
  enum Take: Equatable {
    case job(TakenJob, waiting: Int, oldest: Double?)
    case empty(waiting: Int, oldest: Double?)
    case failed(RedisError)
  }

  typealias Done = (Result<RedisReply, RedisError>) -> Void

  private let link: any ClusterLink
  private let names: ClusterNames
  private let usesGroupLocks: Bool
  private let lockPrefix: String

  /// `lockPrefix`: what comes before the payload (or the group) in a lock's key.
  init(link: any ClusterLink, names: ClusterNames, lockPrefix: String, usesGroupLocks: Bool) {
    self.link = link
    self.names = names
    self.lockPrefix = lockPrefix
    self.usesGroupLocks = usesGroupLocks
  }

  // MARK: Taking

  func take(_ owner: SlotOwner, groups: [Int], ttl: Duration, _ answer: @escaping (Take) -> Void) {
    guard !link.scriptsForbidden else { return plainTake(owner, groups: groups, ttl: ttl, tries: 16, answer) }
    let arguments =
      [names.field(owner.slot), owner.prefix, owner.suffix, milliseconds(ttl), lockPrefix, usesGroupLocks ? "group" : "payload"]
      + groups.map(String.init)
    link.eval(ClusterScripts.take, keys: [names.inFlight] + groups.map(names.queue), arguments: arguments) { [weak self] result in
      guard let self else { return }
      switch result {
      case .failure(let error) where link.scriptsForbidden && !error.isOutage:
        plainTake(owner, groups: groups, ttl: ttl, tries: 16, answer)
      case .failure(let error): answer(.failed(error))
      case .success(let reply): answer(read(reply, owner))
      }
    }
  }

  private func read(_ reply: RedisReply, _ owner: SlotOwner) -> Take {
    guard let parts = reply.elements, let kind = parts.first?.integer else {
      return .failed(RedisError(.other, "unreadable answer of take"))
    }
    if kind == 1, parts.count == 6, let payload = parts[1].text, let score = parts[2].text.flatMap(Double.init),
      let group = parts[3].integer.map({ Int($0) }), let waiting = parts[4].integer
    {
      let item = QueueItem(payload: payload, group: group, score: score)
      let oldest = parts[5].text.flatMap(Double.init)
      return .job(taken(item, owner), waiting: Int(waiting), oldest: oldest)
    }
    guard kind == 0, parts.count == 3, let waiting = parts[1].integer else {
      return .failed(RedisError(.other, "unreadable answer of take"))
    }
    return .empty(waiting: Int(waiting), oldest: parts[2].text.flatMap(Double.init))
  }

  private func taken(_ item: QueueItem, _ owner: SlotOwner) -> TakenJob {
    let name = usesGroupLocks ? String(item.group) : item.payload
    return TakenJob(item: item, lock: lockPrefix + name, owner: owner.name(group: item.group), slot: owner.slot)
  }

  /// ZPOPMIN of the first group that has something, then SET NX. Groups are asked in turn by the slot, so that none starves.
  private func plainTake(_ owner: SlotOwner, groups: [Int], ttl: Duration, tries: Int, _ answer: @escaping (Take) -> Void) {
    guard tries > 0, !groups.isEmpty else { return answer(.empty(waiting: 0, oldest: nil)) }
    plainTurn += 1
    let start = plainTurn % groups.count
    plainPop(Array(groups[start...] + groups[..<start])) { [weak self] result in
      guard let self else { return }
      switch result {
      case .failure(let error): answer(.failed(error))
      case .success(nil): answer(.empty(waiting: 0, oldest: nil))
      case .success(let item?):
        let job = taken(item, owner)
        link.send(["SET", job.lock, job.owner, "PX", milliseconds(ttl), "NX"]) { [weak self] reply in
          guard let self else { return }
          switch reply {
          case .failure(let error): answer(.failed(error))
          case .success(.null): plainTake(owner, groups: groups, ttl: ttl, tries: tries - 1, answer)
          case .success:
            link.send(["HSET", names.inFlight, names.field(owner.slot), InFlightNote(job: job).text]) { _ in }
            answer(.job(job, waiting: 0, oldest: nil))
          }
        }
      }
    }
  }

  private var plainTurn = 0

  private func plainPop(_ groups: [Int], _ answer: @escaping (Result<QueueItem?, RedisError>) -> Void) {
    guard let group = groups.first else { return answer(.success(nil)) }
    link.send(["ZPOPMIN", names.queue(group)]) { [weak self] result in
      switch result {
      case .failure(let error): answer(.failure(error))
      case .success(let reply):
        if let parts = reply.elements, parts.count == 2, let payload = parts[0].text, let score = parts[1].text.flatMap(Double.init) {
          return answer(.success(QueueItem(payload: payload, group: group, score: score)))
        }
        self?.plainPop(Array(groups.dropFirst()), answer)
      }
    }
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
    eval(ClusterScripts.putBack, [names.inFlight, job.lock, queue], [field, job.owner, score, job.item.payload], done) { [self] in
      ifOwner(job, { _ in }) { [self] in link.send(["DEL", job.lock]) { _ in } }
      link.send(["ZADD", queue, "NX", score, job.item.payload], done)
      link.send(["HDEL", names.inFlight, field]) { _ in }
    }
  }

  private func ifOwner(_ job: TakenJob, _ done: @escaping Done, _ body: @escaping () -> Void) {
    link.send(["GET", job.lock]) { result in
      if case .success(let reply) = result, reply.text == job.owner { body() } else { done(result) }
    }
  }

  // MARK: Filling

  /// Adds one chunk; the answer -1 says that the master lock is not ours any more, -2 that the tick was queued before.
  func enqueue(_ items: [QueueItem], respectingLocks: Bool, leader: String, tick: TickRun?, _ done: @escaping Done) {
    let key = tick.map { names.tick($0.name) } ?? ""
    // Long enough to be found by whoever leads next, short enough to vanish with the type.
    let lifetime = milliseconds((tick?.period ?? .zero) * 3 + .seconds(60))
    var arguments = [leader, respectingLocks ? "1" : "0", String(tick?.boundary ?? 0), lifetime]
    for item in items {
      let lock = lockPrefix + (usesGroupLocks ? String(item.group) : item.payload)
      arguments += [names.queue(item.group), text(item.score), item.payload, lock]
    }
    eval(ClusterScripts.enqueue, [ClusterNames.masterLock, key], arguments, done) { [self] in
      link.send(["GET", ClusterNames.masterLock]) { [weak self] result in
        guard let self, case .success(let reply) = result else { return done(result) }
        guard reply.text == leader else { return done(.success(.integer(-1))) }
        guard let tick else { return plainEnqueue(items, done) }
        link.send(["GET", key]) { [weak self] result in
          guard let self, case .success(let last) = result else { return done(result) }
          if let last = last.integer, last >= tick.boundary { return done(.success(.integer(-2))) }
          link.send(["SET", key, String(tick.boundary), "PX", lifetime]) { _ in }
          plainEnqueue(items, done)
        }
      }
    }
  }

  /// One command per queue, as a Python node does it; a member whose lock is held is dropped by whoever takes it.
  private func plainEnqueue(_ items: [QueueItem], _ done: @escaping Done) {
    for (group, members) in Dictionary(grouping: items, by: \.group) {
      link.send(["ZADD", names.queue(group), "NX"] + members.flatMap { [self.text($0.score), $0.payload] }) { _ in }
    }
    done(.success(.integer(Int64(items.count))))
  }

  func lift(_ item: QueueItem, _ done: @escaping Done) {
    link.send(["ZADD", names.queue(item.group), text(item.score), item.payload], done)
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
    link.send(["HGETALL", names.inFlight]) { [names] result in
      answer(
        result.map { reply in
          let parts = (reply.elements ?? []).compactMap(\.text)
          var jobs: [Int: TakenJob] = [:]
          for (field, text) in zip(
            stride(from: 0, to: parts.count - 1, by: 2).map { parts[$0] }, stride(from: 1, to: parts.count, by: 2).map { parts[$0] })
          {
            if let slot = names.slot(ofField: field), let note = InFlightNote(text, slot: slot) { jobs[slot] = note.job }
          }
          return jobs
        })
    }
  }

  func forget(slot: Int) { link.send(["HDEL", names.inFlight, names.field(slot)]) { _ in } }

  /// A key in a queue's place that is no sorted set would be in everybody's way (COMPAT section 3). `deleted` is told what it was.
  func deleteForeign(_ key: String, _ deleted: @escaping (String) -> Void) {
    link.send(["TYPE", key]) { [link] result in
      guard case .success(let reply) = result, let kind = reply.text, kind != "zset", kind != "none" else { return }
      link.send(["DEL", key]) { _ in deleted("\(key), a \(kind),") }
    }
  }

  func waiting(_ groups: [Int], _ answer: @escaping (Int) -> Void) {
    var sum = 0
    for (index, group) in groups.enumerated() {
      link.send(["ZCARD", names.queue(group)]) { result in
        if case .success(let reply) = result { sum += Int(reply.integer ?? 0) }
        if index == groups.count - 1 { answer(sum) }
      }
    }
  }

  /// The script, or `plain` where scripts are forbidden.
  private func eval(_ script: RedisScript, _ keys: [String], _ arguments: [String], _ done: @escaping Done, plain: @escaping () -> Void) {
    guard !link.scriptsForbidden else { return plain() }
    link.eval(script, keys: keys, arguments: arguments) { [weak self] result in
      if case .failure(let error) = result, !error.isOutage, self?.link.scriptsForbidden == true { plain() } else { done(result) }
    }
  }

  private func milliseconds(_ duration: Duration) -> String { String(max(1, duration.nanoseconds / 1_000_000)) }

  private func text(_ score: Double) -> String { Int64(exactly: score).map(String.init) ?? String(score) }
}
