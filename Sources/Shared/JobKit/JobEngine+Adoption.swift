import Core
import Database

extension JobEngine {
  /// How long the supervisor may take to tell the status of a script that ended while there was no child. It reaps within milliseconds.
  static let statusWait = Duration.milliseconds(500)
  /// A new process needs microseconds between entering itself into the table and writing its start time.
  private static let startTimeWait = Duration.milliseconds(100)
  private static let startTimeLook = Duration.milliseconds(2)

  /// Takes over every job that a predecessor left in the table. Needs no server.
  public func adopt() {
    restoreCooldowns()
    reportTable()
    if let index = table.adopting, index < table.slotCount {
      // A count that nobody can have reached is none.
      table.adoptionDeaths = table.adoptionDeaths < 1000 ? table.adoptionDeaths + 1 : 1
      table.adopting = nil
      if table.adoptionDeaths >= 2 {
        let word = table.word(index)
        if word.state == .running || word.state == .ended { table.swap(index, from: word, to: .quarantined) }
        log.critical("slot \(index) of \(type.type.rawValue) is left alone: adopting it ended \(table.adoptionDeaths) processes")
      }
    }
    var found = FoundSlots()
    for slot in slots {
      table.adopting = slot.index
      adopt(slot, &found)
      table.adopting = nil
    }
    table.adoptionDeaths = 0
    adoptedCount = running
    if adoptedCount > 0 { log.info("adopted \(adoptedCount) running scripts") }
    report(found)
    ensureRoom()
    scheduleDeadline()
  }

  private func restoreCooldowns() {
    #if MUTANTS
      if Mutant.active == .holdLostAtRestart { return }
    #endif
    guard let cooldowns else { return }
    let now = loop.now
    for (id, cooldown) in cooldowns.cooldowns where cooldown.until > now {
      let item = QueueItem(payload: String(id), group: 0, score: 0)
      coordinator.restore(lock: type.lockName(item), owner: owner(0).name(group: 0), until: cooldown.until)
    }
  }

  private func adopt(_ slot: JobSlot, _ found: inout FoundSlots) {
    let word = table.word(slot.index)
    let integrity = table.integrity(slot.index)
    let script = host.script(pid: word.pid)
    switch FoundSlotPolicy.action(word.state, integrity, hasPid: word.pid != 0, processLives: script != nil) {
    case .nothing: return
    case .takeAway:
      // The process may be about to enter itself. Whoever swaps first decides, and a process that is late ends without exec.
      if table.swap(slot.index, from: word, to: .aborted) { requeue(slot) } else { adopt(slot, &found) }
    case .requeue: requeue(slot)
    case .watch:
      load(slot)
      adoptProcess(slot)
    case .judge:
      load(slot)
      if table.endedByStop(slot.index) { return conclude(slot, .stopped) }
      conclude(slot, table.endStatus(slot.index).map { ending(slot, $0) } ?? .unseenLost)
    case .quarantine:
      load(slot)
      let process = table.process(slot.index)
      if host.isAlive(process) { send(.setAside(process), to: slot) } else { conclude(slot, .unseenLost) }
    case .hold:
      send(.setAside(script), to: slot)
      found.held += 1
    case .release:
      // Of a process that is about to enter itself into garbage nothing is known: it must not run.
      if word.state == .starting, !table.swap(slot.index, from: word, to: .aborted) { return adopt(slot, &found) }
      table.free(slot.index)
      found.released += 1
    case .leaveToNewer:
      send(.setAside(nil), to: slot)
      found.newer += 1
    }
  }

  private func load(_ slot: JobSlot) {
    let record = table.record(slot.index)
    let item = QueueItem(payload: record.payload, group: record.group, score: record.score)
    let job = TakenJob(item: item, lock: record.lock, owner: record.owner, slot: slot.index)
    slot.startedAt = record.startedAt
    slot.deadline = record.deadline
    slot.adopted = true
    ownClock.began(item.payload, at: .nanoseconds(record.startedAt.nanoseconds))
    send(.found(job), to: slot)
  }

  /// Its process never ran, and never will.
  private func requeue(_ slot: JobSlot) {
    let record = table.record(slot.index)
    table.free(slot.index)
    let item = QueueItem(payload: record.payload, group: record.group, score: record.score)
    #if MUTANTS
      if Mutant.active == .unstartedLost { return coordinator.enqueue([item], respectingLocks: false) }
    #endif
    coordinator.putBackUnstarted(TakenJob(item: item, lock: record.lock, owner: record.owner, slot: slot.index))
  }

  private func adoptProcess(_ slot: JobSlot) {
    #if MUTANTS
      if Mutant.active == .adoptedCountsAsGone { return conclude(slot, .unseenLost) }
    #endif
    slot.killsBefore = host.memoryKills
    // Whatever it has written goes on being read, or it would stand still at a full pipe.
    _ = try? output(of: slot)
    identify(slot, until: loop.now + Self.startTimeWait)
  }

  /// Waits, without standing still, for a process that has entered itself a moment ago and writes its start time next.
  private func identify(_ slot: JobSlot, until patience: MonotonicTime) {
    let identity = table.process(slot.index)
    if identity.startTime != 0 { return watchAdopted(slot, identity) }
    guard loop.now >= patience else {
      loop.schedule(after: Self.startTimeLook) { [weak self] in
        if slot.phase == .identifying { self?.identify(slot, until: patience) }
      }
      return
    }
    guard let script = host.script(pid: identity.pid) else { return watchAdopted(slot, identity) }
    table.setStartTime(slot.index, script.startTime)
    watchAdopted(slot, script)
  }

  private func watchAdopted(_ slot: JobSlot, _ identity: ProcessIdentity) {
    send(.identified(identity), to: slot)
    do throws(SystemError) {
      slot.watch = try host.watch(identity) { [weak self] in self?.send(.gone, to: slot) }
    } catch {
      log.error("can't watch the adopted process \(identity.pid): \(error)")
    }
    guard slot.watch != nil else { return send(.gone, to: slot) }
    if draining && endsScripts { terminate(slot, byStop: true) }
    scheduleDeadline()
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
  func awaitStatus(_ slot: JobSlot, _ identity: ProcessIdentity) {
    if let status = reaped.removeValue(forKey: identity) { return resolve(slot, status) }
    // Whatever its status: it was told to end.
    if table.endedByStop(slot.index) { return conclude(slot, .stopped) }
    #if MUTANTS
      if Mutant.active == .unseenEndIgnored { return }
    #endif
    loop.schedule(after: Self.statusWait) { [weak self] in
      guard let self, slot.phase == .unresolved, slot.identity == identity else { return }
      judge(slot)
    }
  }

  private func resolve(_ slot: JobSlot, _ status: ExitStatus) {
    table.noteEnd(slot.index, status)
    finishOutput(of: slot)
    judgeEnd(slot, status)
  }

  /// Nobody knows the status: the database shows whether the work was done.
  private func judge(_ slot: JobSlot) {
    guard let job = slot.job, let identity = slot.identity else { return }
    guard let question = type.judge(job.item, age: loop.now - slot.startedAt) else { return conclude(slot, .unseen) }
    guard sql.isUp == true else {
      // Without the database nothing starts anyway, so the slot is not missed.
      loop.schedule(after: Self.statusWait) { [weak self] in
        if slot.phase == .unresolved, slot.identity == identity { self?.judge(slot) }
      }
      return
    }
    sql.ask(question) { [weak self] answer in
      guard let self, slot.phase == .unresolved, slot.identity == identity else { return }
      switch answer {
      case .success(let ending): conclude(slot, ending)
      case .failure(let error) where error.isOutage || error.isTransient:
        // Its slot waits, like everything that needs the database.
        loop.schedule(after: .seconds(1)) { [weak self] in
          if slot.phase == .unresolved, slot.identity == identity { self?.judge(slot) }
        }
      case .failure: conclude(slot, .unseenLost)
      }
    }
  }
}
