import CLinuxShims
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
      ownClock.began(job.item.payload, at: .nanoseconds(now.nanoseconds))
      startsWork(lived: false)
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
      reapUnwatched(slot, identity, pidfd: pidfd)
    }
  }

  /// Between two looks at a killed script that can't be watched. One that is stuck in the kernel may take any time to end.
  private static let unwatchedLook = Duration.milliseconds(20)

  func reapUnwatched(_ slot: JobSlot, _ identity: ProcessIdentity, pidfd: Int32) {
    var exit = shim_exit()
    guard shim_look_pidfd(pidfd, &exit) != 0 else {
      loop.schedule(after: Self.unwatchedLook) { [weak self] in self?.reapUnwatched(slot, identity, pidfd: pidfd) }
      return
    }
    if slot.identity == identity { ended(slot, ExitStatus(exit)) }
    _ = shim_reap_pidfd(pidfd, &exit)
    close(pidfd)
  }

  private func startFailed(_ job: TakenJob, _ slot: JobSlot, _ failure: Program.Failure) {
    table.free(slot.index)
    guard case .system(let error) = failure else {
      // Only a successor takes slots away, and it has our work now.
      log.critical("the job table was taken over by another process: ending")
      ProcessEnd.exit(1)
    }
    // What keeps a process from coming into being, and what keeps it from becoming the script, is never the job's fault.
    let isShort = [EAGAIN, ENOMEM, ENFILE, EMFILE].contains(error.number)
    postpone(job, slot, isShort ? .resources : .program, "\(error)\(isShort ? tasksHint(error) : "")")
  }

  private func prepare(_ job: TakenJob, _ slot: JobSlot) throws(Program.Failure) -> Program {
    let command = type.command(job.item, settings)
    let target: Int32
    do throws(SystemError) {
      target = try output(of: slot).scriptEnd
    } catch {
      throw .system(error)
    }
    var program = Program(
      path: command.path.hasPrefix("/") ? command.path : "\(settings.base)/\(command.path)", arguments: command.arguments,
      environment: environment, input: DevNull.descriptor, output: target, error: target)
    program.directory = settings.base
    program.nice = settings.limits[type.type]?.nice ?? 0
    program.cgroup = group?.descriptor
    return program
  }

  func output(of slot: JobSlot) throws(SystemError) -> SlotOutput {
    let path = ChildLaunch.output(type.type, slot: slot.index, in: runtimeDirectory)
    // One whose name is gone would not be found by a successor; a script that has it keeps it.
    if let output = slot.output, output.isAt(path) || slot.identity != nil { return output }
    slot.output = nil
    let output = try SlotOutput(path: path, loop: loop, writer: slot.identity?.pid) { [weak self, weak slot] bytes in
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
