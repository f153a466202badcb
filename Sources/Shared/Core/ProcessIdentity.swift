import CLinuxShims
import Glibc

/// A process beyond doubt: a pid alone may be another's by now.
public struct ProcessIdentity: Hashable, Sendable {
  public var pid: Int32
  /// Field 22 of /proc/PID/stat: clock ticks since boot.
  public var startTime: UInt64

  public init(pid: Int32, startTime: UInt64) {
    self.pid = pid
    self.startTime = startTime
  }

  /// The process that has this pid now; nil when there is none.
  public static func of(pid: Int32) -> ProcessIdentity? {
    let start = shim_process_stat(pid, nil, nil, nil, nil)
    return start == 0 ? nil : ProcessIdentity(pid: pid, startTime: start)
  }

  /// A descriptor for it, valid whatever becomes of the pid; nil when it has been reaped. The caller closes it.
  public func open() -> Int32? {
    // 0 and 1 are no scripts, and a negative number names a group.
    guard pid > 1 else { return nil }
    let fd = shim_pidfd_open(pid)
    guard fd >= 0 else { return nil }
    // In this order: once the descriptor is ours, the pid can't be given to another process before the look at its start time.
    guard ProcessIdentity.of(pid: pid) == self else {
      close(fd)
      return nil
    }
    return fd
  }

  /// The process with this pid as far as it can be a script of ours: alive, leader of its session, of our user, and neither this process nor
  /// its parent. For slots whose start time can't be believed.
  public static func script(pid: Int32) -> ProcessIdentity? {
    guard pid > 1, pid != getpid(), pid != getppid() else { return nil }
    var session: Int32 = 0
    var state: CChar = 0
    let start = shim_process_stat(pid, nil, nil, &session, &state)
    var status = stat()
    guard start != 0, session == pid, state != CChar(UInt8(ascii: "Z")), stat("/proc/\(pid)", &status) == 0, status.st_uid == geteuid()
    else { return nil }
    return ProcessIdentity(pid: pid, startTime: start)
  }

  /// It exists and is not a zombie.
  public var isAlive: Bool {
    var state: CChar = 0
    return shim_process_stat(pid, nil, nil, nil, &state) == startTime && state != CChar(UInt8(ascii: "Z"))
  }
}

/// The boot and pid namespace in which pids and boot times mean something.
public struct MachineIdentity: Equatable, Sendable {
  public var bootID: String
  public var pidNamespace: UInt64

  public init(bootID: String, pidNamespace: UInt64) {
    self.bootID = bootID
    self.pidNamespace = pidNamespace
  }

  public static func current() -> MachineIdentity {
    var status = stat()
    let namespace = stat("/proc/self/ns/pid", &status) == 0 ? UInt64(status.st_ino) : 0
    let boot = FileText.read("/proc/sys/kernel/random/boot_id", limit: 64) ?? ""
    let padded = boot.prefix { $0 != "\n" }
    return MachineIdentity(bootID: String(padded) + String(repeating: "-", count: max(0, 36 - padded.count)), pidNamespace: namespace)
  }
}
