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
    let fd = shim_pidfd_open(pid)
    guard fd >= 0 else { return nil }
    // In this order: once the descriptor is ours, the pid can't be given to another process before the look at its start time.
    guard ProcessIdentity.of(pid: pid) == self else {
      close(fd)
      return nil
    }
    return fd
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
