import CLinuxShims
import Core
import Glibc

/// At most one dispatcher per installation: the lock that librenms-service.py would take too, held until this process ends.
struct InstanceLock {
  struct Refusal: Error, CustomStringConvertible {
    var description: String
  }

  // Never closed: closing any descriptor of the file would end the lock.
  private let fd: Int32

  static func path(_ base: String) -> String { base + "/.lock.service" }

  /// The file that is locked, whatever has its name by now.
  var identity: FileIdentity? { FileIdentity.of(descriptor: fd) }

  /// Throws when another dispatcher works on `base`, or when that can't be found out.
  static func take(base: String) throws(Refusal) -> InstanceLock {
    let lock = try takeFile(base: base)
    if let python = PythonService.find(base: base).first {
      throw Refusal(
        description: "the Python service runs as process \(python) (\(base)/librenms-service.py). Stop it first, or allow both with -m")
    }
    return lock
  }

  /// The lock alone. It may wait for the file server of `base`. `held`: the file that this process has locked already.
  static func takeFile(base: String, held: FileIdentity? = nil) throws(Refusal) -> InstanceLock {
    let path = path(base)
    let fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
    guard fd >= 0 else {
      let error = SystemError("open")
      throw Refusal(
        description: "can't open the lock file \(path): \(error.reason). Make it writable for this user, or allow several instances with -m"
      )
    }
    let status = shim_lock(fd)
    defer { if status < 0, FileIdentity.of(descriptor: fd) != held { close(fd) } }
    if status == -EAGAIN {
      let holder = shim_lock_holder(fd)
      let who = holder > 0 ? "process \(holder)" : "a process that this one can't see"
      throw Refusal(
        description: "another instance works on \(base): \(who) holds \(path). Stop it first, or allow several instances with -m")
    }
    if status < 0 {
      let error = SystemError("lock", number: -status)
      throw Refusal(description: "can't lock \(path): \(error.reason). Allow several instances with -m if the file system has no locks")
    }
    return InstanceLock(fd: fd)
  }

  /// For a command that no service may run beside: the lock if there is one to take, for this process and what it turns into by exec.
  /// nil: there is no lock file, so nobody holds it, and a command of another user must not make it.
  static func hold(base: String) throws(Refusal) -> InstanceLock? {
    let path = path(base)
    var fd = open(path, O_RDWR)
    let writable = fd >= 0
    if !writable { fd = open(path, O_RDONLY) }
    if fd >= 0 {
      let holder = shim_lock_holder(fd)
      // Held by someone between the look and the lock: whoever it is, it is in the way.
      if holder != 0 || writable && shim_lock(fd) < 0 {
        close(fd)
        let who = holder > 0 ? "process \(holder)" : "a process that this one can't see"
        throw Refusal(description: "another instance works on \(base): \(who) holds \(path)")
      }
    }
    if let python = PythonService.find(base: base).first {
      throw Refusal(description: "the Python service runs as process \(python) (\(base)/librenms-service.py)")
    }
    return fd < 0 ? nil : InstanceLock(fd: fd)
  }
}
