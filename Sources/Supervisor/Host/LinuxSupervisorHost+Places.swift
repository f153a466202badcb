import Core
import Glibc

/// Directories and files. What may be on a file server is looked at by a thread of its own.
extension LinuxSupervisorHost {
  // MARK: The runtime directory

  var runtimeDirectory: String { place.directory }
  var isRuntimeDirectoryInPlace: Bool { place.isInPlace }
  func restoreRuntimeDirectory() throws(RuntimePlace.Refusal) { try place.restore() }

  func openOperatorSocket(_ serve: @escaping OperatorService) throws(SystemError) -> any OperatorEntrance {
    let socket = try OperatorSocket(directory: place.directory, loop: loop, log: log)
    socket.onRequest = serve
    return socket
  }

  // MARK: The base directory

  struct RelockedLook: Sendable {
    var look: BaseLook
    /// A lock that was taken anew.
    var lock: InstanceLock?
  }

  var base: String { place.base }

  func lookAtBase(_ known: FileIdentity?, _ done: @escaping (BaseLook) -> Void) -> SystemError? {
    baseCall.onEnd = { [weak self] found in
      if let fresh = found.lock { self?.lock = fresh }
      done(found.look)
    }
    let (base, lock) = (base, lock)
    return baseCall.start { Self.look(base, known, lock) }
  }

  private static func look(_ base: String, _ directory: FileIdentity?, _ lock: InstanceLock?) -> RelockedLook {
    let found = FileIdentity.of(path: base)
    let seen = seen(found, directory)
    let lockSeen = lock.map { Self.seen(FileIdentity.of(path: InstanceLock.path(base)), $0.identity) } ?? .found(isSame: true)
    var look = BaseLook(verdict: BaseWatchPolicy.judge(directory: seen, lock: lockSeen), directory: found)
    guard lock != nil, look.verdict == .replaced || look.verdict == .unlocked else { return RelockedLook(look: look) }
    do throws(InstanceLock.Refusal) {
      let fresh = try InstanceLock.takeFile(base: base, held: lock?.identity)
      look.isRelocked = true
      return RelockedLook(look: look, lock: fresh)
    } catch {
      look.refusal = "\(error)"
      return RelockedLook(look: look)
    }
  }

  /// To be called at once after the look: errno is read.
  private static func seen(_ found: FileIdentity?, _ known: FileIdentity?) -> BaseWatchPolicy.Seen {
    guard let found else { return errno == ENOENT || errno == ENOTDIR ? .missing : .unknown }
    return .found(isSame: found == known)
  }

  // MARK: Files

  func touch(_ path: String, _ done: @escaping (SystemError?) -> Void) -> SystemError? {
    // One that hangs is another file's, and this one does not wait for it.
    if touchCall.isRunning {
      guard let fresh = try? BlockingCall<SystemError?>(loop: loop) else { return SystemError("start a thread", number: EMFILE) }
      touchCall = fresh
    }
    touchCall.onEnd = done
    return touchCall.start { Self.touch(path) }
  }

  private static func touch(_ path: String) -> SystemError? {
    let fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0o644)
    guard fd >= 0 else { return SystemError("open") }
    defer { close(fd) }
    return futimens(fd, nil) == 0 ? nil : SystemError("touch")
  }

  func lookAtLog(_ path: String, _ done: @escaping (LogWatchdogPolicy.Finding) -> Void) -> SystemError? {
    logCall.onEnd = done
    return logCall.start { Self.find(path) }
  }

  private static func find(_ path: String) -> LogWatchdogPolicy.Finding {
    var status = stat()
    guard stat(path, &status) == 0 else { return .missing(SystemError("stat").reason) }
    // Containers send the log to a pipe or a terminal, whose times say nothing about writes.
    guard status.st_mode & S_IFMT == S_IFREG else { return .missing("it is no regular file") }
    return .file(
      LogWatchdogPolicy.Stamp(
        inode: UInt64(status.st_ino), size: Int64(status.st_size), seconds: Int64(status.st_mtim.tv_sec),
        nanoseconds: Int64(status.st_mtim.tv_nsec)))
  }
}
