import Core
import Database

/// Work that an operator asks for: in front of everything that waits, wherever that queue is.
public final class OnDemand {
  /// A slot that looks at a job decides within milliseconds; this often, and this many times, it is waited for.
  private static let pause = Duration.milliseconds(100)
  private static let tries = 20
  /// A statement that was interrupted is asked again a second later; the operator waits for seconds only.
  private static let lookUps = 4

  private typealias Answer = (OnDemandResult.Outcome) -> Void

  private let engine: JobEngine

  public init(engine: JobEngine) {
    self.engine = engine
  }

  /// Answers on the loop, one result for each payload and in their order.
  public func enqueue(_ payloads: [String], _ answer: @escaping ([OnDemandResult]) -> Void) {
    let refuse = { (why: String) in answer(payloads.map { OnDemandResult(payload: $0, outcome: .refused(why)) }) }
    guard !payloads.isEmpty else { return answer([]) }
    guard !engine.draining else { return refuse("the service stops") }
    guard !engine.type.locksGroups else { return refuse("\(engine.type.type.rawValue) has no work for single devices") }
    lookUp(payloads, tries: Self.lookUps, refuse, answer)
  }

  private func lookUp(
    _ payloads: [String], tries: Int, _ refuse: @escaping (String) -> Void, _ answer: @escaping ([OnDemandResult]) -> Void
  ) {
    engine.sql.ask(DevicesQuestion(ids: payloads.compactMap { Int64($0) })) { [weak self] result in
      guard let self else { return }
      switch result {
      case .failure(let error) where error.isTransient && tries > 1:
        engine.loop.schedule(after: .seconds(1)) { [weak self] in self?.lookUp(payloads, tries: tries - 1, refuse, answer) }
      case .failure(let error): refuse("the database can't be asked: \(error)")
      case .success(let devices): consider(payloads, devices, answer)
      }
    }
  }

  private func consider(_ payloads: [String], _ devices: [Int64: DevicesQuestion.Device], _ answer: @escaping ([OnDemandResult]) -> Void) {
    var outcomes: [OnDemandResult.Outcome?] = payloads.map { _ in nil }
    var left = payloads.count
    for (index, payload) in payloads.enumerated() {
      let done: Answer = { outcome in
        outcomes[index] = outcome
        left -= 1
        guard left == 0 else { return }
        answer(zip(payloads, outcomes).compactMap { payload, outcome in outcome.map { OnDemandResult(payload: payload, outcome: $0) } })
      }
      // As ids are written: another form of a number would be another job with a lock of its own.
      guard let id = Int64(payload), String(id) == payload, let device = devices[id] else {
        done(.noSuchDevice)
        continue
      }
      // The look under the lock would skip it; said here, where somebody reads it.
      if device.isDisabled {
        done(.disabled)
      } else if !engine.settings.serves(device.group) {
        done(.notServed(group: device.group))
      } else {
        consider(QueueItem(payload: payload, group: device.group, score: QueueItem.onDemand), tries: Self.tries, done)
      }
    }
  }

  private func consider(_ item: QueueItem, tries: Int, _ done: @escaping Answer) {
    let lock = engine.type.lockName(item)
    if let slot = slot(of: item) {
      // The look at a job that was just taken may still find that it should not run now.
      if slot.phase.isPending || slot.phase == .releasing, tries > 0 { return again(item, tries, done) }
      let age = slot.phase.isPending ? .zero : engine.loop.now - slot.startedAt
      return done(.running(LockReport(name: lock, owner: slot.job?.owner ?? "", age: age, isRunning: true).bounded))
    }
    engine.coordinator.holder(of: lock) { [weak self] result in
      guard let self else { return }
      switch result {
      case .failure(let failure): done(.refused(failure.reason))
      case .success(nil): lift(item, done)
      case .success(let holder?):
        // Taken while we asked.
        if slot(of: item) != nil { return again(item, tries, done) }
        guard isOurs(holder) else { return done(outcome(of: holder, lock)) }
        release(item, lock, holder, tries, done)
      }
    }
  }

  private func again(_ item: QueueItem, _ tries: Int, _ done: @escaping Answer) {
    engine.loop.schedule(after: Self.pause) { [weak self] in self?.consider(item, tries: tries - 1, done) }
  }

  private func slot(of item: QueueItem) -> JobSlot? {
    engine.slots.first { $0.phase != .free && $0.job?.item.payload == item.payload }
  }

  /// Held by this node, while no slot of it has the job: a cool-down, or what an earlier incarnation left.
  private func isOurs(_ holder: LockHolder) -> Bool {
    !engine.settings.isClustered || holder.owner.hasPrefix(engine.owner(0).prefix)
  }

  private func release(_ item: QueueItem, _ lock: String, _ holder: LockHolder, _ tries: Int, _ done: @escaping Answer) {
    engine.coordinator.releaseHold(lock, owner: holder.owner) { [weak self] result in
      guard let self else { return }
      switch result {
      case .failure(let failure): done(.refused(failure.reason))
      case .success(true): lift(item, done)
      // It ended or changed hands between the two steps.
      case .success(false): if tries > 0 { again(item, tries, done) } else { done(outcome(of: holder, lock)) }
      }
    }
  }

  private func lift(_ item: QueueItem, _ done: @escaping Answer) {
    // A successor must not restore the hold. The row of failures stays known: the next one is held for longer all the same.
    if let id = Int64(item.payload), let cooldown = engine.cooldowns?.cooldowns[id], cooldown.until > engine.loop.now {
      if cooldown.failures > 0 {
        engine.cooldowns?.set(id, .init(until: engine.loop.now, failures: cooldown.failures))
      } else {
        engine.cooldowns?.clear(id)
      }
    }
    let group = engine.settings.groups.contains(item.group) ? nil : item.group
    engine.coordinator.lift(item) { result in
      switch result {
      case .success(let waited): done(waited ? .lifted(group: group) : .queued(group: group))
      case .failure(let failure): done(.refused(failure.reason))
      }
    }
  }

  private func outcome(of holder: LockHolder, _ lock: String) -> OnDemandResult.Outcome {
    let age = holder.remaining.flatMap { engine.type.lockAge(remaining: $0, engine.settings) }
    // Of a hold after a run the lifetime is another one than the contract's.
    let report = LockReport(
      name: lock, owner: holder.owner, remaining: holder.remaining, age: holder.isRunning == false ? nil : age,
      isAgeEstimated: true, isRunning: holder.isRunning
    ).bounded
    return holder.isRunning == true ? .running(report) : .locked(report)
  }
}
