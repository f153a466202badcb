import Core
import Redis

/// Queues whose members are ticks: a member whose lock is held stays where it is, since nobody enqueues it again before the next tick.
extension ClusterCommands {
  /// More members than this no type has.
  private static let limit = "15"

  func takeTick(_ owner: SlotOwner, group: Int, ttl: Duration, _ answer: @escaping (Take) -> Void) {
    attemptTakeTick(owner, group: group, ttl: ttl) { [weak self] result in
      guard let self, case .failed(let error) = result, error.kind == .wrongType else { return answer(result) }
      mend([names.queue(group)]) { [weak self] in self?.attemptTakeTick(owner, group: group, ttl: ttl, answer) }
    }
  }

  private func attemptTakeTick(_ owner: SlotOwner, group: Int, ttl: Duration, _ answer: @escaping (Take) -> Void) {
    let arguments = [
      names.field(owner.slot), owner.prefix, owner.suffix, milliseconds(ttl), lockPrefix, String(group), Self.limit, names.queuePrefix,
    ]
    let done: Done = { [weak self] in self?.took($0, owner, answer) }
    eval(ClusterScripts.takeTick, [names.inFlight, names.queue(group)], arguments, done) { [weak self] in
      self?.plainTakeTick(owner, group: group, ttl: ttl, answer)
    }
  }

  /// First the lock and then the member: torn in between, the lock ends with its lifetime and the member is still there.
  private func plainTakeTick(_ owner: SlotOwner, group: Int, ttl: Duration, _ answer: @escaping (Take) -> Void) {
    link.send(["ZRANGE", names.queue(group), "0", Self.limit, "WITHSCORES"]) { [weak self] result in
      switch result {
      case .failure(let error): answer(.failed(error))
      case .success(let reply):
        let words = (reply.elements ?? []).compactMap(\.text)
        let items = stride(from: 0, to: words.count - 1, by: 2).map {
          QueueItem(payload: words[$0], group: group, score: Double(words[$0 + 1]) ?? 0)
        }
        self?.plainTakeTick(items, owner, ttl: ttl, next: 0, answer)
      }
    }
  }

  private func plainTakeTick(_ items: [QueueItem], _ owner: SlotOwner, ttl: Duration, next: Int, _ answer: @escaping (Take) -> Void) {
    guard next < items.count else { return answer(.empty(waiting: items.count, oldest: items.first?.score)) }
    let job = taken(items[next], owner)
    let goOn = { [weak self] in _ = self?.plainTakeTick(items, owner, ttl: ttl, next: next + 1, answer) }
    link.send(["SET", job.lock, job.owner, "PX", milliseconds(ttl), "NX"]) { [weak self] result in
      switch result {
      case .failure(let error): answer(.failed(error))
      case .success(.null): goOn()
      case .success: self?.plainRemove(job, waiting: items.count - 1, otherwise: goOn, answer)
      }
    }
  }

  private func plainRemove(_ job: TakenJob, waiting: Int, otherwise: @escaping () -> Void, _ answer: @escaping (Take) -> Void) {
    link.send(["ZREM", names.queue(job.item.group), job.item.payload]) { [weak self] result in
      guard let self else { return }
      switch result {
      case .failure(let error): answer(.failed(error))
      case .success(.integer(0)):
        // Another node took it, and has ended its run already.
        ifOwner(job, { _ in }) { [weak self] in self?.link.send(["DEL", job.lock]) { _ in } }
        otherwise()
      case .success:
        note(job)
        answer(.job(job, waiting: waiting, oldest: nil))
      }
    }
  }

  /// Whether a member waits, or runs under its lock.
  func presence(of item: QueueItem, _ answer: @escaping (Presence) -> Void) {
    var waits = false
    link.send(["ZSCORE", names.queue(item.group), item.payload]) { if case .success(let reply) = $0, reply.text != nil { waits = true } }
    link.send(["EXISTS", taken(item, SlotOwner(prefix: "", slot: 0)).lock]) { result in
      if case .success(.integer(1)) = result { answer(waits ? .waits : .runs) } else { answer(waits ? .waits : .absent) }
    }
  }
}
