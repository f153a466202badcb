import Core
import Redis

/// Taking from queues whose members are dropped where their lock is held.
extension ClusterCommands {
  func take(_ owner: SlotOwner, groups: [Int], ttl: Duration, _ answer: @escaping (Take) -> Void) {
    attemptTake(owner, groups: groups, ttl: ttl) { [weak self] result in
      guard let self, case .failed(let error) = result, error.kind == .wrongType else { return answer(result) }
      mend(groups.map(names.queue)) { [weak self] in self?.attemptTake(owner, groups: groups, ttl: ttl, answer) }
    }
  }

  private func attemptTake(_ owner: SlotOwner, groups: [Int], ttl: Duration, _ answer: @escaping (Take) -> Void) {
    let arguments =
      [
        names.field(owner.slot), owner.prefix, owner.suffix, milliseconds(ttl), lockPrefix, usesGroupLocks ? "group" : "payload",
        names.queuePrefix,
      ] + groups.map(String.init)
    let done: Done = { [weak self] in self?.took($0, owner, answer) }
    eval(ClusterScripts.take, [names.inFlight] + groups.map(names.queue), arguments, done) { [weak self] in
      self?.plainTake(owner, groups: groups, ttl: ttl, tries: 16, answer)
    }
  }

  func took(_ result: Result<RedisReply, RedisError>, _ owner: SlotOwner, _ answer: (Take) -> Void) {
    switch result {
    case .failure(let error): answer(.failed(error))
    case .success(let reply):
      if let lock = reply.elements?.last?.text, !lock.isEmpty, reply.elements?.count ?? 0 > 3 { broughtBack(lock, owner.slot) }
      answer(read(reply, owner))
    }
  }

  private func broughtBack(_ lock: String, _ slot: Int) {
    log.warning("a job was noted for slot \(slot) and ran in none: it is back in its queue (\(lock))")
  }

  private func read(_ reply: RedisReply, _ owner: SlotOwner) -> Take {
    guard let parts = reply.elements, let kind = parts.first?.integer else {
      return .failed(RedisError(.other, "unreadable answer of take"))
    }
    if kind == 1, parts.count == 7, let payload = parts[1].text, let score = parts[2].text.flatMap(Double.init),
      let group = parts[3].integer.map({ Int($0) }), let waiting = parts[4].integer
    {
      let item = QueueItem(payload: payload, group: group, score: score)
      let oldest = parts[5].text.flatMap(Double.init)
      return .job(taken(item, owner), waiting: Int(waiting), oldest: oldest)
    }
    guard kind == 0, parts.count == 4, let waiting = parts[1].integer else {
      return .failed(RedisError(.other, "unreadable answer of take"))
    }
    return .empty(waiting: Int(waiting), oldest: parts[2].text.flatMap(Double.init))
  }

  func taken(_ item: QueueItem, _ owner: SlotOwner) -> TakenJob {
    let name = usesGroupLocks ? String(item.group) : item.payload
    return TakenJob(item: item, lock: lockPrefix + name, owner: owner.name(group: item.group), slot: owner.slot)
  }

  /// ZPOPMIN of the first group that has something, then SET NX. Groups are asked in turn by the slot, so that none starves.
  private func plainTake(_ owner: SlotOwner, groups: [Int], ttl: Duration, tries: Int, _ answer: @escaping (Take) -> Void) {
    guard tries > 0, !groups.isEmpty else { return answer(.empty(waiting: groups.isEmpty ? 0 : nil, oldest: nil)) }
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
            note(job)
            answer(.job(job, waiting: nil, oldest: nil))
          }
        }
      }
    }
  }

  /// Notes a job as in flight. What is noted for its slot runs nowhere, or it would not have been taken for it.
  func note(_ job: TakenJob) {
    let field = names.field(job.slot)
    // Both at once: a job may end before the first is answered, and its note has to be there then.
    link.send(["HGET", names.inFlight, field]) { [weak self] result in
      guard let self else { return }
      if case .success(let reply) = result, let old = reply.text.flatMap({ InFlightNote($0, slot: job.slot) })?.job, old.lock != job.lock {
        broughtBack(old.lock, job.slot)
        ifOwner(old, { _ in }) { [self] in link.send(["DEL", old.lock]) { _ in } }
        link.send(["ZADD", names.queue(old.item.group), "NX", text(old.item.score), old.item.payload]) { _ in }
      }
    }
    link.send(["HSET", names.inFlight, field, InFlightNote(job: job).text]) { _ in }
  }

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
}
