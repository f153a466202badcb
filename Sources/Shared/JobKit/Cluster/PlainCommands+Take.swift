import Core
import Redis

extension PlainCommands {
  /// ZPOPMIN of the first group that has something, then SET NX. Groups are asked in turn, so that none starves.
  func take(_ owner: SlotOwner, groups: [Int], ttl: Duration, _ answer: @escaping Answer<Take>) {
    take(owner, groups: groups, ttl: ttl, tries: 16, answer)
  }

  private func take(_ owner: SlotOwner, groups: [Int], ttl: Duration, tries: Int, _ answer: @escaping Answer<Take>) {
    guard tries > 0, !groups.isEmpty else { return answer(.success(.empty(waiting: groups.isEmpty ? 0 : nil, oldest: nil))) }
    let start = nextGroup(of: groups.count)
    pop(Array(groups[start...] + groups[..<start])) { [weak self] result in
      guard let self else { return }
      switch result {
      case .failure(let error): answer(.failure(error))
      case .success(nil): answer(.success(.empty(waiting: 0, oldest: nil)))
      case .success(let item?):
        let job = context.taken(item, owner)
        lock(job, ttl) { [weak self] result in
          switch result {
          case .failure(let error): answer(.failure(error))
          case .success(false): self?.take(owner, groups: groups, ttl: ttl, tries: tries - 1, answer)
          case .success(true):
            self?.note(job)
            answer(.success(.job(job, waiting: nil, oldest: nil)))
          }
        }
      }
    }
  }

  private func pop(_ groups: [Int], _ answer: @escaping Answer<QueueItem?>) {
    guard let group = groups.first else { return answer(.success(nil)) }
    link.send(["ZPOPMIN", names.queue(group)]) { [weak self] result in
      switch result {
      case .failure(let error): answer(.failure(error))
      case .success(let reply):
        if let parts = reply.elements, parts.count == 2, let payload = parts[0].text, let score = parts[1].text.flatMap(Double.init) {
          return answer(.success(QueueItem(payload: payload, group: group, score: score)))
        }
        self?.pop(Array(groups.dropFirst()), answer)
      }
    }
  }

  /// First the lock and then the member: torn in between, the lock ends with its lifetime and the member is still there.
  func takeTick(_ owner: SlotOwner, group: Int, ttl: Duration, _ answer: @escaping Answer<Take>) {
    link.send(["ZRANGE", names.queue(group), "0", ScriptedCommands.lastTickMember, "WITHSCORES"]) { [weak self] result in
      switch result {
      case .failure(let error): answer(.failure(error))
      case .success(let reply):
        let words = (reply.elements ?? []).compactMap(\.text)
        let items = stride(from: 0, to: words.count - 1, by: 2).map {
          QueueItem(payload: words[$0], group: group, score: Double(words[$0 + 1]) ?? 0)
        }
        self?.takeTick(items, owner, ttl: ttl, next: 0, answer)
      }
    }
  }

  private func takeTick(_ items: [QueueItem], _ owner: SlotOwner, ttl: Duration, next: Int, _ answer: @escaping Answer<Take>) {
    guard next < items.count else { return answer(.success(.empty(waiting: items.count, oldest: items.first?.score))) }
    let job = context.taken(items[next], owner)
    let goOn = { [weak self] in _ = self?.takeTick(items, owner, ttl: ttl, next: next + 1, answer) }
    lock(job, ttl) { [weak self] result in
      switch result {
      case .failure(let error): answer(.failure(error))
      case .success(false): goOn()
      case .success(true): self?.remove(job, waiting: items.count - 1, otherwise: goOn, answer)
      }
    }
  }

  private func remove(_ job: TakenJob, waiting: Int, otherwise: @escaping () -> Void, _ answer: @escaping Answer<Take>) {
    link.send(["ZREM", names.queue(job.item.group), job.item.payload]) { [weak self] result in
      guard let self else { return }
      switch result {
      case .failure(let error): answer(.failure(error))
      case .success(.integer(0)):
        // Another node took it, and has ended its run already.
        deleteIf(job.lock, is: job.owner) { _ in }
        otherwise()
      case .success:
        note(job)
        answer(.success(.job(job, waiting: waiting, oldest: nil)))
      }
    }
  }

  /// Whether the lock was free and is the job's now.
  private func lock(_ job: TakenJob, _ ttl: Duration, _ answer: @escaping Answer<Bool>) {
    link.send(["SET", job.lock, job.owner, "PX", ttl.inWholeMilliseconds, "NX"]) { answer($0.map { $0 != .null }) }
  }

  /// Notes a job as in flight. What is noted for its slot runs nowhere, or it would not have been taken for it.
  private func note(_ job: TakenJob) {
    let field = names.field(job.slot)
    // Both at once: a job may end before the first is answered, and its note has to be there then.
    link.send(["HGET", names.inFlight, field]) { [weak self] result in
      guard let self else { return }
      if case .success(let reply) = result, let old = reply.text.flatMap({ InFlightNote($0, slot: job.slot) })?.job, old.lock != job.lock {
        context.warnBroughtBack(old.lock, job.slot)
        deleteIf(old.lock, is: old.owner) { _ in }
        link.send(["ZADD", names.queue(old.item.group), "NX", old.item.scoreText, old.item.payload]) { _ in }
      }
    }
    link.send(["HSET", names.inFlight, field, InFlightNote(job: job).text]) { _ in }
  }
}
