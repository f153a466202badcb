import Core
import Glibc

extension JobEngine {
  func start(_ job: TakenJob, _ slot: JobSlot) {
    let now = MonotonicTime.now
    let limit = (settings.limits[type.type] ?? TypeLimits(for: type.type)).jobTimeout
    let record = JobRecord(
      payload: job.item.payload, lock: job.lock, owner: job.owner, group: job.item.group, score: job.item.score, startedAt: now,
      startedWall: WallClock.now, deadline: now + limit)
    slot.startedAt = now
    slot.deadline = record.deadline
    guard let word = table.begin(slot.index, record) else {
      return conclude(slot, .notStarted, detail: "its names are too long for the job table: \(job.lock) \(job.owner)")
    }
    onBegun?(job.item)
    do throws(Program.Failure) {
      let program = try prepare(job, slot)
      slot.killsBefore = group?.kills
      let started = try program.start(in: (table, slot.index, word))
      noteGroup(started.groupFailure)
      let identity = table.process(slot.index)
      slot.identity = identity
      slot.phase = .running
      lastJobStarted = now
      lastStarts[job.item.payload] = now
      forkFailures = 0
      watch(slot, identity, pidfd: started.pidfd)
      scheduleDeadline()
      log.debug("\(name(of: job.item)) started as \(started.pid)")
    } catch {
      startFailed(job, slot, error)
    }
  }

  private func watch(_ slot: JobSlot, _ identity: ProcessIdentity, pidfd: Int32) {
    do throws(SystemError) {
      slot.watch = try ProcessWatch(identity, pidfd: pidfd, isChild: true, loop: loop) { [weak self] status in
        self?.ended(slot, status)
      }
    } catch {
      // Without a watch nobody would notice its end; the deadline's KILL is the way out, and it comes now.
      log.critical("can't watch \(identity.pid): \(error); its group is ended")
      kill(-identity.pid, SIGKILL)
      var status: Int32 = 0
      waitpid(identity.pid, &status, 0)
      conclude(slot, .signalled(SIGKILL), detail: "\(error)")
    }
  }

  private func startFailed(_ job: TakenJob, _ slot: JobSlot, _ failure: Program.Failure) {
    table.free(slot.index)
    guard case .system(let error) = failure else {
      // Only a successor takes slots away, and it has our work now.
      log.critical("the job table was taken over by another process: ending")
      exit(1)
    }
    // Out of processes, memory or descriptors: the machine's fault, not the job's. It goes back and nothing is taken for a while.
    guard [EAGAIN, ENOMEM, ENFILE, EMFILE].contains(error.number) else {
      return conclude(slot, .notStarted, detail: "\(error)")
    }
    forkFailures += 1
    let pause = Duration.milliseconds(min(500 * (1 << min(forkFailures - 1, 4)), 2000) + Int.random(in: 0...300))
    if forkFailures == 1 { log.error("can't start scripts: \(error)\(tasksHint(error)); waiting until it works again") }
    lastError = "\(error)"
    forkRefusedUntil = .now + pause
    slot.reset()
    coordinator.putBack(job)
    finishDrainIfIdle()
  }

  private func prepare(_ job: TakenJob, _ slot: JobSlot) throws(Program.Failure) -> Program {
    let command = type.command(job.item, settings)
    let keepsAll = settings.flags.output != .none || type.logFile(job.item) == nil
    let target: Int32
    do throws(SystemError) {
      target = try output(of: slot).scriptEnd
    } catch {
      throw .system(error)
    }
    var program = Program(
      path: command.path.hasPrefix("/") ? command.path : "\(settings.base)/\(command.path)", arguments: command.arguments,
      environment: environment, input: DevNull.descriptor, output: keepsAll ? target : DevNull.descriptor, error: target)
    program.directory = settings.base
    program.nice = settings.limits[type.type]?.nice ?? 0
    program.cgroup = group?.descriptor
    // Ours was raised for pipes and pidfds; what a script gets is what the service got.
    if let original = FileLimit.original { program.limits = [(FileLimit.resource, original.soft, original.hard)] }
    return program
  }

  func output(of slot: JobSlot) throws(SystemError) -> SlotOutput {
    if let output = slot.output { return output }
    let path = ChildLaunch.output(type.type, slot: slot.index, in: runtimeDirectory)
    let output = try SlotOutput(path: path, loop: loop) { [weak self, weak slot] bytes in
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

/// The one open /dev/null of the process.
enum DevNull {
  static let descriptor = open("/dev/null", O_RDWR | O_CLOEXEC)
}
