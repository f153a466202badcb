import Core
import Glibc

extension JobEngine {
  func start(_ job: TakenJob, _ slot: JobSlot) {
    let now = loop.now
    let limit = (settings.limits[type.type] ?? TypeLimits(for: type.type)).jobTimeout
    let record = JobRecord(
      payload: job.item.payload, lock: job.lock, owner: job.owner, group: job.item.group, score: job.item.score, startedAt: now,
      startedWall: loop.wall, deadline: now + limit)
    slot.startedAt = now
    slot.deadline = record.deadline
    guard let word = table.begin(slot.index, record) else {
      return conclude(slot, .notStarted, detail: "its names are too long for the job table: \(job.lock) \(job.owner)")
    }
    send(.entered, to: slot)
    onBegun?(job.item)
    do throws(Program.Failure) {
      let output: any ScriptOutput
      do throws(SystemError) { output = try self.output(of: slot) } catch { throw .system(error) }
      slot.killsBefore = host.memoryKills
      let started = try host.start(script(job), in: (table, slot.index, word), output: output) { [weak self] in self?.ended(slot, $0) }
      noteGroup(started.groupFailure)
      send(.started(started.identity), to: slot)
      slot.watch = started.watch
      lastJobStarted = now
      ownClock.began(job.item.payload, at: .nanoseconds(now.nanoseconds))
      startsWork(lived: false)
      scheduleDeadline()
      log.debug("\(name(of: job.item)) started as \(started.identity.pid)")
    } catch {
      startFailed(job, slot, error)
    }
  }

  private func startFailed(_ job: TakenJob, _ slot: JobSlot, _ failure: Program.Failure) {
    guard case .system(let error) = failure else {
      table.free(slot.index)
      // Only a successor takes slots away, and it has our work now.
      log.critical("the job table was taken over by another process: ending")
      return onLost()
    }
    // What keeps a process from coming into being, and what keeps it from becoming the script, is never the job's fault.
    let isShort = [EAGAIN, ENOMEM, ENFILE, EMFILE].contains(error.number)
    postpone(slot, isShort ? .resources : .program, "\(error)\(isShort ? tasksHint(error) : "")")
  }

  private func script(_ job: TakenJob) -> ScriptStart {
    let command = type.command(job.item, settings)
    return ScriptStart(
      path: command.path.hasPrefix("/") ? command.path : "\(settings.base)/\(command.path)", arguments: command.arguments,
      environment: environment, directory: settings.base, nice: settings.limits[type.type]?.nice ?? 0)
  }

  func output(of slot: JobSlot) throws(SystemError) -> any ScriptOutput {
    // One whose name is gone would not be found by a successor; a script that has it keeps it.
    if let output = slot.output, output.isInPlace || slot.identity != nil { return output }
    slot.output = nil
    let output = try host.openOutput(slot: slot.index, writer: slot.identity?.pid) { [weak self, weak slot] bytes in
      if let self, let slot { receive(bytes, from: slot) }
    }
    slot.output = output
    return output
  }

  private func receive(_ bytes: UnsafeRawBufferPointer, from slot: JobSlot) {
    slot.tail.append(bytes)
    guard let item = slot.job?.item, let file = type.logFile(item) else { return }
    switch settings.flags.output {
    case .none: break
    case .passthrough: router.passthrough(bytes)
    case .file: router.append(bytes, to: "\(settings.logDirectory)/\(file)")
    case .logger: router.log(slot.splitter.feed(bytes), of: name(of: item))
    }
  }

  /// What is left of a line when its script has ended.
  func finishOutput(of slot: JobSlot) {
    slot.output?.drain()
    if let item = slot.job?.item, settings.flags.output == .logger, let rest = slot.splitter.finish() {
      router.log([rest], of: name(of: item))
    }
  }
}
