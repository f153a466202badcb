import CLinuxShims
import Glibc

/// Watches one process by its pidfd and owns that descriptor.
///
/// A process that this one started is seen as a zombie first: `onEnd` gets its status, and only when it returns is the process reaped.
/// So whatever has to be written down or killed by process group is done while pid and group can't be anybody else's.
public final class ProcessWatch {
  public let identity: ProcessIdentity
  private let pidfd: Int32
  private let loop: EventLoop
  private let isChild: Bool
  private var open = true

  /// `isChild`: this process is the parent. Otherwise the status is nil: only a parent learns it.
  public init(
    _ identity: ProcessIdentity, pidfd: Int32, isChild: Bool, loop: EventLoop, onEnd: @escaping (ExitStatus?) -> Void
  ) throws(SystemError) {
    self.identity = identity
    self.pidfd = pidfd
    self.loop = loop
    self.isChild = isChild
    try loop.watch(pidfd, for: .readable) { [weak self] _ in self?.ended(onEnd) }
  }

  deinit { close() }

  public func signal(_ number: Int32) { _ = shim_pidfd_kill(pidfd, number) }

  /// Sends a signal to the process group that the process leads. The group can't be another's while the process is not reaped.
  public func signalGroup(_ number: Int32) {
    var group: Int32 = 0
    guard shim_process_stat(identity.pid, nil, &group, nil, nil) == identity.startTime || identity.startTime == 0 else { return }
    if group == identity.pid, group > 1 { kill(-identity.pid, number) } else { signal(number) }
  }

  private func ended(_ onEnd: (ExitStatus?) -> Void) {
    guard open else { return }
    guard isChild else {
      close()
      return onEnd(nil)
    }
    var exit = shim_exit()
    guard shim_look_pidfd(pidfd, &exit) == 1 else { return }
    loop.unwatch(pidfd)
    onEnd(ExitStatus(exit))
    _ = shim_reap_pidfd(pidfd, &exit)
    close()
  }

  private func close() {
    guard open else { return }
    open = false
    loop.unwatch(pidfd)
    Glibc.close(pidfd)
  }
}

extension ExitStatus {
  /// From what waitid said.
  public init(_ exit: shim_exit) {
    self = exit.kind == 1 ? .exited(exit.value) : .signalled(exit.value)
  }
}
