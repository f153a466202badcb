import CLinuxShims
import Core
import Glibc

/// The file in a runtime directory that says which service works there; locked by it for as long as it lives.
///
/// The lock in the base directory says who works on an installation, but a base directory can be removed and made anew under a running service,
/// and its lock with it. What two services would destroy for each other is in the runtime directory, so that is decided here.
final class RuntimeClaim {
  /// What a service writes down about itself.
  struct Record: Equatable {
    /// Its base directory and the lock file in it, as they were when it started.
    var base: FileIdentity?
    var lock: FileIdentity?

    var text: String { "base \(base?.description ?? "-")\nlock \(lock?.description ?? "-")\n" }

    init(base: FileIdentity?, lock: FileIdentity?) {
      self.base = base
      self.lock = lock
    }

    init(_ text: String) {
      for line in text.split(separator: "\n") {
        let words = line.split(separator: " ")
        let numbers = words.last?.split(separator: ":").compactMap { UInt64($0) } ?? []
        guard words.count == 2, numbers.count == 2 else { continue }
        let identity = FileIdentity(device: numbers[0], inode: numbers[1])
        if words[0] == "base" { base = identity }
        if words[0] == "lock" { lock = identity }
      }
    }
  }

  enum Failure: Error {
    /// `holder` 0 or less: a process that this one can't see.
    case taken(holder: Int32, Record)
    case system(SystemError)
  }

  static let name = "owner"

  let path: String
  private let directory: FileIdentity?
  private let identity: FileIdentity?
  private let fd: Int32

  private init(directory: String, fd: Int32) {
    path = directory + "/" + Self.name
    self.fd = fd
    self.directory = FileIdentity.of(path: directory)
    identity = FileIdentity.of(descriptor: fd)
  }

  // Ends the lock.
  deinit { close(fd) }

  static func take(_ directory: String, _ record: Record) throws(Failure) -> RuntimeClaim {
    let path = directory + "/" + name
    let fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard fd >= 0 else { throw .system(SystemError("open \(path)")) }
    let locked = shim_lock(fd)
    guard locked == 0 else {
      defer { close(fd) }
      if locked == -EAGAIN { throw .taken(holder: shim_lock_holder(fd), written(in: fd)) }
      throw .system(SystemError("lock \(path)", number: -locked))
    }
    let text = Array(record.text.utf8)
    // It informs; the lock decides.
    _ = ftruncate(fd, 0)
    _ = pwrite(fd, text, text.count, 0)
    return RuntimeClaim(directory: directory, fd: fd)
  }

  /// Who works in this directory; nil: nobody, as far as this user can see.
  static func holder(_ directory: String) -> (pid: Int32, record: Record)? {
    let fd = open(directory + "/" + name, O_RDWR | O_CLOEXEC | O_NOFOLLOW)
    guard fd >= 0 else { return nil }
    defer { close(fd) }
    let holder = shim_lock_holder(fd)
    return holder == 0 ? nil : (holder, written(in: fd))
  }

  private static func written(in fd: Int32) -> Record {
    var bytes = [UInt8](repeating: 0, count: 256)
    let count = pread(fd, &bytes, bytes.count, 0)
    return Record(String(decoding: bytes[..<max(0, count)], as: UTF8.self))
  }

  /// The names still lead to what was claimed.
  func isInPlace(_ directory: String) -> Bool {
    self.directory != nil && FileIdentity.of(path: directory) == self.directory && FileIdentity.of(path: path) == identity
  }
}
