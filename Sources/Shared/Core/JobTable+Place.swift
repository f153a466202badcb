import CLinuxShims
import Glibc

/// The table and its name: a runtime directory may be removed, or made at last, while jobs run.
extension JobTable {
  /// `path` still leads to this table.
  public func isAt(_ path: String) -> Bool {
    guard isPersistent, let own = FileIdentity.of(descriptor: fd) else { return false }
    return FileIdentity.of(path: path) == own
  }

  /// Makes a file with the same contents under this name and works in it from then on. The addresses of all slots change, so no process may
  /// be between `begin` and exec: to be called between two jobs, on the thread that starts them. What had that name is replaced.
  /// Without success the table stays what it was.
  public func move(to path: String) throws(Failure) {
    try Self.expectUnused(path)
    let new = path + ".new"
    // One of a process that died over this.
    unlink(new)
    let file = Glibc.open(new, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard file >= 0 else { throw .system(SystemError("open \(new)")) }
    do throws(Failure) {
      let size = JobTableLayout.fileSize(slots: slotCount)
      // Locked before it has the name by which a successor looks for it.
      let locked = shim_lock(file)
      if locked < 0 { throw .system(SystemError("lock \(new)", number: -locked)) }
      let allocated = shim_allocate(file, size)
      if allocated < 0 { throw .system(SystemError("allocate \(size) bytes for \(new)", number: -allocated)) }
      guard let mapped = shim_map(file, size, 1) else { throw .system(SystemError("map \(new)")) }
      memcpy(mapped, base, size)
      guard rename(new, path) == 0 else {
        let error = SystemError("rename \(new)")
        shim_unmap(mapped, size)
        throw .system(error)
      }
      adopt(descriptor: file, base: mapped, size: size)
    } catch {
      unlink(new)
      close(file)
      throw error
    }
  }

  /// Whoever holds a table of this name works on the same jobs.
  private static func expectUnused(_ path: String) throws(Failure) {
    let found = Glibc.open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW)
    guard found >= 0 else { return }
    defer { close(found) }
    let holder = shim_lock_holder(found)
    if holder != 0 { throw .inUse(pid: holder) }
  }
}
