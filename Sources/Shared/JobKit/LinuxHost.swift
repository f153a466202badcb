import CLinuxShims
import Core
import Glibc
import Logging

/// The real host of a child: Linux.
public final class LinuxHost: Host {
  /// Between two looks at a killed script that can't be watched. One that is stuck in the kernel may take any time to end.
  private static let unwatchedLook = Duration.milliseconds(20)

  private let type: TaskType
  private let loop: EventLoop
  private let log: Logger
  public var directory: String
  private var group: ScriptGroup?
  private var gauge = MemoryGauge(scripts: nil)
  private var filesLook: BlockingCall<[ScriptFilesCheck.Problem]>?

  public init(type: TaskType, directory: String, loop: EventLoop, log: Logger) {
    self.type = type
    self.directory = directory
    self.loop = loop
    self.log = log
  }

  // MARK: Files that a successor finds

  public func openTable(slots: Int) throws(JobTable.Failure) -> JobTable {
    try JobTable.open(path: tablePath, slots: slots, place: .current(), number: number)
  }

  public func openPrivateTable(slots: Int) -> JobTable? { JobTable.anonymous(slots: slots, place: .current(), number: number) }

  private var number: UInt64 { UInt64(clamping: loop.random(in: 1...Int.max)) }

  private var tablePath: String { ChildLaunch.jobTable(type, in: directory) }

  public func endPredecessor(_ pid: Int32) -> Bool {
    let own = FileText.read("/proc/self/comm", limit: 64)
    // The lock's holder is what the kernel says; that it is one of us is seen by its name.
    guard own == FileText.read("/proc/\(pid)/comm", limit: 64) else { return false }
    kill(pid, SIGKILL)
    return true
  }

  public func isInPlace(_ table: JobTable) -> Bool { table.isAt(tablePath) }

  public func putInPlace(_ table: JobTable) throws(JobTable.Failure) { try table.move(to: tablePath) }

  public func openCooldowns(fresh: Bool) throws(SystemError) -> any CooldownStore {
    try CooldownFile(path: ChildLaunch.cooldowns(type, in: directory), fresh: fresh, now: loop.now)
  }

  public func isInPlace(_ cooldowns: any CooldownStore) -> Bool {
    (cooldowns as? CooldownFile)?.isAt(ChildLaunch.cooldowns(type, in: directory)) ?? false
  }

  // MARK: Scripts

  public func start(
    _ script: ScriptStart, in slot: (table: JobTable, index: Int, word: SlotWord), output: any ScriptOutput,
    onEnd: @escaping (ExitStatus) -> Void
  ) throws(Program.Failure) -> StartedScript {
    let target = (output as? SlotOutput)?.scriptEnd ?? DevNull.descriptor
    var program = Program(
      path: script.path, arguments: script.arguments, environment: script.environment, input: DevNull.descriptor, output: target,
      error: target)
    program.directory = script.directory
    program.nice = script.nice
    program.cgroup = group?.descriptor
    let started = try program.start(in: slot)
    let identity = slot.table.process(slot.index)
    return StartedScript(identity: identity, watch: watch(identity, pidfd: started.pidfd, onEnd), groupFailure: started.groupFailure)
  }

  private func watch(_ identity: ProcessIdentity, pidfd: Int32, _ onEnd: @escaping (ExitStatus) -> Void) -> (any ScriptWatch)? {
    do throws(SystemError) {
      return try ProcessWatch(identity, pidfd: pidfd, isChild: true, loop: loop) { if let status = $0 { onEnd(status) } }
    } catch {
      // Without a watch nobody would notice its end; the deadline's KILL is the way out, and it comes now.
      log.critical("can't watch \(identity.pid): \(error); its group is ended")
      kill(-identity.pid, SIGKILL)
      reapUnwatched(pidfd, onEnd)
      return nil
    }
  }

  func reapUnwatched(_ pidfd: Int32, _ onEnd: @escaping (ExitStatus) -> Void) {
    loop.schedule(after: Self.unwatchedLook) { [weak self] in
      var exit = shim_exit()
      guard shim_look_pidfd(pidfd, &exit) != 0 else { return _ = self?.reapUnwatched(pidfd, onEnd) }
      onEnd(ExitStatus(exit))
      _ = shim_reap_pidfd(pidfd, &exit)
      close(pidfd)
    }
  }

  public func watch(_ identity: ProcessIdentity, onGone: @escaping () -> Void) throws(SystemError) -> (any ScriptWatch)? {
    guard let pidfd = identity.open() else { return nil }
    do throws(SystemError) {
      return try ProcessWatch(identity, pidfd: pidfd, isChild: false, loop: loop) { _ in onGone() }
    } catch {
      close(pidfd)
      throw error
    }
  }

  public func script(pid: Int32) -> ProcessIdentity? { ProcessIdentity.script(pid: pid) }

  public func isAlive(_ identity: ProcessIdentity) -> Bool { identity.isAlive }

  public func killGroup(of identity: ProcessIdentity) { kill(-identity.pid, SIGKILL) }

  public func openOutput(
    slot: Int, writer: Int32?, onBytes: @escaping (UnsafeRawBufferPointer) -> Void
  ) throws(SystemError) -> any ScriptOutput {
    // Not captured strongly: the loop may hold the pipe longer than the child has a host.
    let path = { [weak self, type] in ChildLaunch.output(type, slot: slot, in: self?.directory ?? "") }
    return try SlotOutput(path: path, loop: loop, writer: writer, onBytes: onBytes)
  }

  // MARK: Limits and memory

  public func useGroup(_ directory: String?) throws(SystemError) {
    group = nil
    defer { gauge = MemoryGauge(scripts: group?.directory) }
    if let directory { group = try ScriptGroup(directory: directory) }
  }

  public var memoryKills: MemoryKills? { group?.kills }

  public func readMemory() -> MemoryReading? { gauge.read() }

  public func canUse(_ directory: String) -> Bool { access(directory, R_OK | W_OK | X_OK) == 0 }

  public func lookAtFiles(_ check: ScriptFilesCheck, _ done: @escaping ([ScriptFilesCheck.Problem]) -> Void) -> SystemError? {
    do {
      let look = try filesLook ?? BlockingCall<[ScriptFilesCheck.Problem]>(loop: loop)
      filesLook = look
      look.onEnd = done
      return look.start { check.look() }
    } catch {
      return error as? SystemError ?? SystemError("look at files", number: EAGAIN)
    }
  }
}

extension ProcessWatch: ScriptWatch {}

/// The one open /dev/null of the process.
private enum DevNull {
  static let descriptor = open("/dev/null", O_RDWR | O_CLOEXEC)
}
