import Core
import Database
import Glibc

extension JobEngine {
  /// How long the supervisor may take to tell the status of a script that ended while there was no child. It reaps within milliseconds.
  static let statusWait = Duration.milliseconds(500)
  /// A new process needs microseconds between entering itself into the table and writing its start time.
  private static let startTimeWait = Duration.milliseconds(100)

  /// Takes over every job that a predecessor left in the table. Needs no server.
  public func adopt() {
    restoreCooldowns()
    if let index = table.adopting {
      table.adoptionDeaths += 1
      table.adopting = nil
      if table.adoptionDeaths >= 2, index < table.slotCount {
        let word = table.word(index)
        if word.state == .running || word.state == .ended { table.swap(index, from: word, to: .quarantined) }
        log.critical("slot \(index) of \(type.type.rawValue) is left alone: adopting it ended \(table.adoptionDeaths) processes")
      }
    }
    for slot in slots {
      table.adopting = slot.index
      adopt(slot)
      table.adopting = nil
    }
    table.adoptionDeaths = 0
    adoptedCount = running
    if adoptedCount > 0 { log.info("adopted \(adoptedCount) running scripts") }
    scheduleDeadline()
  }

  private func restoreCooldowns() {
    guard let cooldowns else { return }
    let now = MonotonicTime.now
    for (id, cooldown) in cooldowns.cooldowns where cooldown.until > now {
      let item = QueueItem(payload: String(id), group: 0, score: 0)
      coordinator.restore(lock: type.lockName(item), owner: owner(0).name(group: 0), until: cooldown.until)
    }
  }

  private func adopt(_ slot: JobSlot) {
    let word = table.word(slot.index)
    guard let state = word.state else {
      log.warning("slot \(slot.index) is in a state of a newer version: left alone")
      slot.phase = .quarantined
      return
    }
    switch state {
    case .free: return
    case .starting:
      // The process may be about to enter itself. Whoever swaps first decides, and a process that is late ends without exec.
      if table.swap(slot.index, from: word, to: .aborted) { requeue(slot) } else { adopt(slot) }
    case .aborted: requeue(slot)
    case .running:
      load(slot)
      adoptProcess(slot)
    case .ended:
      load(slot)
      conclude(slot, table.endStatus(slot.index).map { ending(slot, $0) } ?? .unseenLost)
    case .quarantined:
      load(slot)
      if table.process(slot.index).isAlive { slot.phase = .quarantined } else { conclude(slot, .unseenLost) }
    }
  }

  private func load(_ slot: JobSlot) {
    let record = table.record(slot.index)
    let item = QueueItem(payload: record.payload, group: record.group, score: record.score)
    let job = TakenJob(item: item, lock: record.lock, owner: record.owner, slot: slot.index)
    slot.job = job
    slot.startedAt = record.startedAt
    slot.deadline = record.deadline
    slot.phase = .running
    slot.adopted = true
    lastStarts[item.payload] = record.startedAt
    coordinator.adopt(job)
  }

  /// Its process never ran, and never will.
  private func requeue(_ slot: JobSlot) {
    let record = table.record(slot.index)
    table.free(slot.index)
    slot.reset()
    coordinator.enqueue([QueueItem(payload: record.payload, group: record.group, score: record.score)], respectingLocks: false)
  }

  private func adoptProcess(_ slot: JobSlot) {
    var identity = table.process(slot.index)
    let patience = MonotonicTime.now + Self.startTimeWait
    while identity.startTime == 0 && MonotonicTime.now < patience {
      usleep(1000)
      identity = table.process(slot.index)
    }
    if identity.startTime == 0, let found = ProcessIdentity.of(pid: identity.pid), getsid(identity.pid) == identity.pid {
      identity = found
      table.setStartTime(slot.index, found.startTime)
    }
    slot.identity = identity
    slot.killsBefore = group?.kills
    // Whatever it has written goes on being read, or it would stand still at a full pipe.
    _ = try? output(of: slot)
    guard let pidfd = identity.open() else { return awaitStatus(slot) }
    do throws(SystemError) {
      slot.watch = try ProcessWatch(identity, pidfd: pidfd, isChild: false, loop: loop) { [weak self] _ in self?.awaitStatus(slot) }
    } catch {
      log.error("can't watch the adopted process \(identity.pid): \(error)")
      close(pidfd)
      awaitStatus(slot)
    }
  }

  /// An orphan was reaped by the supervisor.
  public func noteReaped(_ identity: ProcessIdentity, _ status: ExitStatus) {
    if let slot = slots.first(where: { $0.phase == .unresolved && $0.identity == identity }) {
      resolve(slot, status)
    } else {
      if reaped.count > 4096 { reaped.removeAll() }
      reaped[identity] = status
    }
  }

  /// The process is gone; only the supervisor, its parent by then, can know how it ended.
  private func awaitStatus(_ slot: JobSlot) {
    slot.watch = nil
    slot.phase = .unresolved
    guard let identity = slot.identity else { return }
    if let status = reaped.removeValue(forKey: identity) { return resolve(slot, status) }
    loop.schedule(after: Self.statusWait) { [weak self] in
      guard let self, slot.phase == .unresolved, slot.identity == identity else { return }
      judge(slot)
    }
  }

  private func resolve(_ slot: JobSlot, _ status: ExitStatus) {
    table.noteEnd(slot.index, status)
    slot.phase = .running
    finishOutput(of: slot)
    conclude(slot, ending(slot, status), detail: memoryReason(slot, status) ?? "")
  }

  /// Nobody knows the status: the database shows whether the work was done.
  private func judge(_ slot: JobSlot) {
    guard let job = slot.job, let identity = slot.identity else { return }
    guard let question = type.judge(job.item, age: .now - slot.startedAt) else { return conclude(slot, .unseen) }
    guard sql.isUp == true else {
      // Without the database nothing starts anyway, so the slot is not missed.
      loop.schedule(after: Self.statusWait) { [weak self] in
        if slot.phase == .unresolved, slot.identity == identity { self?.judge(slot) }
      }
      return
    }
    sql.submit(question) { [weak self] answer in
      guard let self, slot.phase == .unresolved, slot.identity == identity else { return }
      switch answer {
      case .success(let ending): conclude(slot, ending)
      case .failure(let error) where error.isOutage: judge(slot)
      case .failure: conclude(slot, .unseenLost)
      }
    }
  }
}
