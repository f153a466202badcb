import Glibc

/// Where job tables, output pipes and the operator socket live: a private folder on a file system that a crash of the service survives,
/// never below the base directory, which may be NFS.
public enum RuntimeDirectory {
  /// A folder per installation, so that several can run on one machine: FNV-1a of the resolved base path, 16 hexadecimal digits.
  public static func name(base: String) -> String {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in base.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    let digits = String(hash, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }

  /// Parents in which the folder may be, best first. `RUNTIME_DIRECTORY` is systemd's; /run/librenms-dispatcher is what the shipped
  /// unit and tmpfiles snippet make, so that a command typed by the operator finds a service started by systemd.
  public static func candidates(runtimeDirectory: String?, user: UInt32) -> [String] {
    var parents: [String] = []
    // systemd separates several directories with colons; the first is ours.
    if let first = runtimeDirectory?.split(separator: ":").first { parents.append(String(first)) }
    parents.append("/run/librenms-dispatcher")
    parents.append("/run/user/\(user)/librenms-dispatcher")
    parents.append("/dev/shm/librenms-dispatcher-\(user)")
    return parents
  }

  /// Makes (or finds) the folder for a running service. `accept` has the last word about each candidate, and
  /// `passedOver` is told why the one that was given can't be used. Throws the last error when none works.
  public static func prepare(
    base: String, instance: Int32?, runtimeDirectory: String?, passedOver: (SystemError) -> Void = { _ in },
    accept: (String) throws(SystemError) -> Void = { _ in }
  ) throws(SystemError) -> String {
    let user = geteuid()
    var last = SystemError("make a runtime directory", number: ENOENT)
    for (index, parent) in candidates(runtimeDirectory: runtimeDirectory, user: user).enumerated() {
      let path = parent + "/" + name(base: base) + (instance.map { "-\($0)" } ?? "")
      do throws(SystemError) {
        try makePrivate(parent, user: user, given: parent == runtimeDirectory)
        try makePrivate(path, user: user, given: false)
        try accept(path)
        return path
      } catch {
        last = error
        if index == 0, runtimeDirectory != nil { passedOver(error) }
      }
    }
    throw last
  }

  /// The folders that a running service of this installation may have made, best first, for commands that look for its socket.
  public static func existing(base: String, runtimeDirectory: String?) -> [String] {
    var found: [String] = []
    let users = geteuid() == 0 ? [0] + owner(of: base) : [geteuid()]
    for user in users {
      for parent in candidates(runtimeDirectory: runtimeDirectory, user: user) {
        let path = parent + "/" + name(base: base)
        if access(path, X_OK) == 0, !found.contains(path) { found.append(path) }
      }
    }
    return found
  }

  private static func owner(of path: String) -> [UInt32] {
    var status = stat()
    return stat(path, &status) == 0 && status.st_uid != 0 ? [status.st_uid] : []
  }

  private static func makePrivate(_ path: String, user: UInt32, given: Bool) throws(SystemError) {
    if mkdir(path, 0o700) != 0 && errno != EEXIST { throw SystemError("mkdir \(path)") }
    var status = stat()
    guard lstat(path, &status) == 0 else { throw SystemError("stat \(path)") }
    // A folder that someone else prepared could hold anything; systemd's own may be group-readable, what we make in it is not.
    guard status.st_mode & S_IFMT == S_IFDIR, status.st_uid == user else {
      throw SystemError("use \(path), which is not ours", number: EPERM)
    }
    if !given && status.st_mode & 0o777 != 0o700 && chmod(path, 0o700) != 0 { throw SystemError("chmod \(path)") }
  }
}
