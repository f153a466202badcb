import Core
import Redis

/// The steps as the plain commands that a Python node uses, for a connection that may run no scripts.
///
/// A step can be torn by a crash: a member may be lost between queue and lock, until the master enqueues it again. And what the server carries
/// out late, after its connection was given up, is not refused: a lock that is set so lives until its end.
final class PlainCommands: ClusterCommands {
  var mark: NodeMark
  let context: ClusterContext
  /// The groups are asked in turn.
  private var turn = 0

  var link: any ClusterLink { context.link }
  var names: ClusterNames { context.names }

  init(_ context: ClusterContext, mark: NodeMark) {
    self.context = context
    self.mark = mark
  }

  /// The group that the next take asks first.
  func nextGroup(of count: Int) -> Int {
    turn += 1
    return turn % count
  }

  // MARK: The mark

  /// Two commands, so two that begin within the same millisecond may both believe in it until the next renewal.
  func setMark(lifetime: Duration, _ answer: @escaping Answer<MarkAnswer>) {
    let mark = self.mark
    let life = lifetime.inWholeMilliseconds
    var refusal: RedisError?
    link.send(["SET", names.alive, mark.text, "PX", life, "NX"]) { if case .failure(let error) = $0 { refusal = error } }
    link.send(["GET", names.alive]) { [weak self] result in
      guard let self else { return }
      switch result {
      case .failure(let error): answer(.failure(error))
      case .success(let reply):
        guard let found = reply.text, found != mark.text else { return answer(refusal.map { .failure($0) } ?? .success(.ours)) }
        guard found.hasPrefix(mark.tableText + "/") else { return answer(.success(.taken(by: found))) }
        link.send(["SET", names.alive, mark.text, "PX", life, "XX"]) { answer($0.map { _ in .ours }) }
      }
    }
  }

  func keepMark(lifetime: Duration, _ answer: @escaping Answer<Void>) {
    let mark = self.mark
    link.send(["GET", names.alive]) { [weak self] result in
      guard let self, case .success(let reply) = result else { return answer(result.map { _ in }) }
      guard reply.text == mark.text else {
        return answer(.failure(RedisError(.other, "\(RedisError.staleWord) the mark in Redis is another one")))
      }
      link.send(["PEXPIRE", names.alive, lifetime.inWholeMilliseconds]) { answer($0.map { _ in }) }
    }
  }

  func releaseMark(_ answer: @escaping Answer<Void>) { deleteIf(names.alive, is: mark.text) { answer($0.map { _ in }) } }

  // MARK: Jobs

  func finish(_ job: TakenJob, hold: Duration?, _ answer: @escaping Answer<Void>) {
    let done: ClusterLink.Answer = { answer($0.map { _ in }) }
    link.send(["HDEL", names.inFlight, names.field(job.slot)]) { _ in }
    guard let hold else { return deleteIf(job.lock, is: job.owner, done) }
    onlyIf(job.lock, is: job.owner, otherwise: done) { [self] in
      link.send(["PEXPIRE", job.lock, hold.inWholeMilliseconds], done)
    }
  }

  func putBack(_ job: TakenJob, _ answer: @escaping Answer<Void>) {
    deleteIf(job.lock, is: job.owner) { _ in }
    link.send(["ZADD", names.queue(job.item.group), "NX", job.item.scoreText, job.item.payload]) { answer($0.map { _ in }) }
    link.send(["HDEL", names.inFlight, names.field(job.slot)]) { _ in }
  }

  // MARK: Locks

  /// Answers without waiting: it does not tell who has the locks.
  func renew(_ jobs: [TakenJob], ttl: Duration, _ answer: @escaping Answer<[Acquisition]>) {
    let life = ttl.inWholeMilliseconds
    for job in jobs {
      link.send(["SET", job.lock, job.owner, "PX", life, "NX"]) { [weak self] _ in
        self?.onlyIf(job.lock, is: job.owner, otherwise: { _ in }) { [weak self] in
          self?.link.send(["PEXPIRE", job.lock, life]) { _ in }
        }
      }
    }
    answer(.success([]))
  }

  func acquire(_ lock: String, owner: String, ttl: Duration, _ answer: @escaping Answer<Acquisition>) {
    let life = ttl.inWholeMilliseconds
    link.send(["SET", lock, owner, "PX", life, "NX"]) { _ in }
    onlyIf(lock, is: owner, otherwise: { result in answer(result.map { .held(by: $0.text ?? "another node") }) }) { [self] in
      link.send(["PEXPIRE", lock, life]) { _ in answer(.success(.ours)) }
    }
  }

  func lockAgain(_ running: TakenJob, insteadOf duplicate: TakenJob, ttl: Duration, keepsMember: Bool, _ answer: @escaping Answer<Void>) {
    let item = duplicate.item
    onlyIf(duplicate.lock, is: duplicate.owner, otherwise: { _ in }) { [self] in
      link.send(["SET", running.lock, running.owner, "PX", ttl.inWholeMilliseconds]) { _ in }
    }
    link.send(["HDEL", names.inFlight, names.field(duplicate.slot)]) { answer($0.map { _ in }) }
    if keepsMember { link.send(["ZADD", names.queue(item.group), "NX", item.scoreText, item.payload]) { _ in } }
  }

  func releaseHold(_ lock: String, owner: String, _ answer: @escaping Answer<Bool>) {
    onlyIf(lock, is: owner, otherwise: { answer($0.map { _ in false }) }) { [self] in
      link.send(["DEL", lock]) { answer($0.map { $0.integer == 1 }) }
    }
  }

  // MARK: The lead

  /// Leaves the mark alone.
  func claim(owner: String, ttl: Duration, markLifetime: Duration, _ answer: @escaping Answer<Lead>) {
    let (key, life) = (ClusterNames.masterLock, ttl.inWholeMilliseconds)
    var remembered: String?
    var refusal: RedisError?
    link.send(["SET", key, owner, "PX", life, "NX"]) { if case .failure(let error) = $0 { refusal = error } }
    // One by one: an ACL may allow the contract's keys only.
    link.send(["GET", ClusterNames.memory]) { if case .success(let reply) = $0 { remembered = reply.text } }
    link.send(["GET", key]) { [weak self] result in
      switch result {
      case .failure(let error): answer(.failure(error))
      case .success(let reply):
        if reply.text == nil, let refusal { return answer(.failure(refusal)) }
        guard reply.text == owner else { return answer(.success(Lead(owner: reply.text ?? "nobody", memory: remembered))) }
        self?.link.send(["PEXPIRE", key, life]) { _ in answer(.success(Lead(owner: nil, memory: remembered))) }
      }
    }
  }

  func abdicate(owner: String, _ answer: @escaping Answer<Void>) {
    deleteIf(ClusterNames.masterLock, is: owner) { answer($0.map { _ in }) }
  }

  // MARK: Queues

  func enqueue(
    _ items: [QueueItem], respectingLocks: Bool, leader: String, tick: TickRun?, isLast: Bool, _ answer: @escaping Answer<Enqueued>
  ) {
    link.send(["GET", ClusterNames.masterLock]) { [weak self] result in
      guard let self, case .success(let reply) = result else { return answer(result.map { _ in .unseated }) }
      guard reply.text == leader else { return answer(.success(.unseated)) }
      guard let tick else { return add(items, answer) }
      let key = names.tick(tick.name)
      link.send(["GET", key]) { [weak self] result in
        guard let self, case .success(let last) = result else { return answer(result.map { _ in .alreadyTicked }) }
        if let last = last.integer, last >= tick.boundary, last != tick.known { return answer(.success(.alreadyTicked)) }
        add(items) { [weak self] result in
          if case .success = result, isLast { self?.link.send(["SET", key, String(tick.boundary), "PX", tick.memoryLifetime]) { _ in } }
          answer(result)
        }
      }
    }
  }

  /// One command per queue, as a Python node does it; a member whose lock is held is dropped by whoever takes it.
  private func add(_ items: [QueueItem], _ answer: @escaping Answer<Enqueued>) {
    let queues = Dictionary(grouping: items, by: \.group).sorted { $0.key < $1.key }
    let commands = queues.map { group, members in
      ["ZADD", names.queue(group), "NX"] + members.flatMap { [$0.scoreText, $0.payload] }
    }
    sum(commands) { answer($0.map { .added($0) }) }
  }

  func waiting(_ groups: [Int], _ answer: @escaping Answer<Waiting>) {
    sum(groups.map { ["ZCARD", names.queue($0)] }) { answer($0.map { Waiting(members: $0, lowest: nil) }) }
  }

  /// The sum of the answers of these commands, or one of their failures.
  private func sum(_ commands: [[String]], _ answer: @escaping Answer<Int>) {
    guard !commands.isEmpty else { return answer(.success(0)) }
    var left = commands.count
    var sum = 0
    var failure: RedisError?
    for words in commands {
      link.send(words) { result in
        switch result {
        case .success(let reply): sum += Int(reply.integer ?? 0)
        case .failure(let error): failure = error
        }
        left -= 1
        if left == 0 { answer(failure.map { .failure($0) } ?? .success(sum)) }
      }
    }
  }

  // MARK: Comparing first

  /// Goes on when the key has this value, else answers with what it has.
  func onlyIf(_ key: String, is value: String, otherwise: @escaping ClusterLink.Answer, _ goOn: @escaping () -> Void) {
    link.send(["GET", key]) { result in
      if case .success(let reply) = result, reply.text == value { goOn() } else { otherwise(result) }
    }
  }

  func deleteIf(_ key: String, is value: String, _ done: @escaping ClusterLink.Answer) {
    onlyIf(key, is: value, otherwise: done) { [weak self] in self?.link.send(["DEL", key], done) }
  }
}
