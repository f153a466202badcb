import Core
import Glibc

/// The folder that PHP's file cache and its settings file are in, for this user alone: who can write there runs code as us.
struct PHPCacheDirectory {
  let path: String
  /// Bytes on the disk, above which it is emptied.
  let limit: Int

  /// Why the folder is not used.
  struct Refused: Error, Equatable {
    var reason: String
  }

  /// The settings are in the same folder as the cache: when it is removed, PHP finds no settings either. With settings that name a folder
  /// that is not there it would end every script with 254 [tried with PHP 8.2].
  private static let settingsFile = "dispatcher.ini"
  private static let fingerprintFile = "fingerprint"

  /// A cache of LibreNMS has about 32 MiB. A runtime directory is memory.
  private static let diskLimit = 256 << 20
  private static let memoryLimit = 96 << 20
  /// What has to be free beside the cache: in a runtime directory it must leave the job tables their room, on a disk the RRD files.
  private static let reserve = 128 << 20

  /// In systemd's `CACHE_DIRECTORY`, else in the service's runtime directory.
  static func place(base: String, cacheDirectory: String?, runtimeDirectory: String?) throws(Refused) -> PHPCacheDirectory {
    if let parent = cacheDirectory?.split(separator: ":").first {
      let own = "\(parent)/\(RuntimeDirectory.name(base: base))"
      try makePrivate(own)
      return PHPCacheDirectory(path: own + "/php", limit: diskLimit)
    }
    do throws(SystemError) {
      let own = try RuntimeDirectory.prepare(base: base, instance: nil, runtimeDirectory: runtimeDirectory)
      return PHPCacheDirectory(path: own + "/php", limit: memoryLimit)
    } catch {
      throw Refused(reason: "\(error)")
    }
  }

  /// Makes or checks the folder, empties it where needed, and writes the settings. Returns why it was emptied; nil: it was not.
  func prepare(fingerprint: String) throws(Refused) -> String? {
    guard PHPCachePolicy.canName(path) else { throw Refused(reason: "\(path) has a character that PHP's settings can't name") }
    try Self.makePrivate(path)
    let settings = path + "/" + Self.settingsFile
    let note = path + "/" + Self.fingerprintFile
    for file in [settings, note] { try Self.checkFile(file) }
    let old = FileText.read(note, limit: 4096)
    let reason = PHPCachePolicy.reasonToEmpty(old: old, new: fingerprint, bytes: Self.size(of: path), limit: limit)
    // Without a note nobody knows whose code it is; that it was emptied is news only if there was one.
    if reason != nil || old == nil { Self.empty(path, keeping: [Self.settingsFile, Self.fingerprintFile]) }
    try Self.write(PHPCachePolicy.settings(directory: path), to: settings)
    try Self.write(fingerprint, to: note)
    return reason
  }

  /// Why there is no room for a cache; nil: there is. What the cache has already counts as free.
  var shortage: String? {
    var system = statvfs()
    // The folder above is there since `place`.
    let place = String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
    guard statvfs(place, &system) == 0 else { return "\(SystemError("statvfs \(place)"))" }
    let free = Int(system.f_bavail) * Int(system.f_frsize) + Self.size(of: path)
    guard free < Self.reserve else { return nil }
    return
      "only \(free >> 20) MiB are free in \(place), and \(Self.reserve >> 20) are wanted; the environment variable CACHE_DIRECTORY may name another place"
  }

  /// PHP does not get along with the settings: nobody may find them.
  func withdraw() {
    unlink(path + "/" + Self.settingsFile)
  }

  // MARK: Files

  /// A folder that exists must be ours and closed to others for writing, or anything may be in it already; the one above must not let
  /// others put another in its place.
  private static func makePrivate(_ path: String) throws(Refused) {
    let user = geteuid()
    var status = stat()
    let parent = String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
    guard stat(parent, &status) == 0 else { throw Refused(reason: "\(SystemError("stat \(parent)"))") }
    let isSticky = status.st_mode & S_ISVTX != 0
    guard status.st_uid == user || status.st_uid == 0, status.st_mode & 0o022 == 0 || isSticky else {
      throw Refused(reason: "\(parent) can be changed by other users; give it to the service's user with mode 0700")
    }
    if mkdir(path, 0o700) != 0 && errno != EEXIST { throw Refused(reason: "\(SystemError("mkdir \(path)"))") }
    guard lstat(path, &status) == 0 else { throw Refused(reason: "\(SystemError("stat \(path)"))") }
    guard status.st_mode & S_IFMT == S_IFDIR else { throw Refused(reason: "\(path) is no directory; remove it") }
    guard status.st_uid == user else {
      throw Refused(reason: "\(path) belongs to user \(status.st_uid) and not to the service's (\(user)); remove it")
    }
    guard status.st_mode & 0o022 == 0 else {
      let mode = String(status.st_mode & 0o777, radix: 8)
      throw Refused(reason: "other users may write to \(path) (mode \(mode)), and so run code as the service; remove it")
    }
  }

  private static func checkFile(_ path: String) throws(Refused) {
    var status = stat()
    guard lstat(path, &status) == 0 else {
      guard errno == ENOENT else { throw Refused(reason: "\(SystemError("stat \(path)"))") }
      return
    }
    guard status.st_mode & S_IFMT == S_IFREG, status.st_uid == geteuid(), status.st_mode & 0o022 == 0 else {
      throw Refused(reason: "\(path) is not a file that only the service's user can write; remove it")
    }
  }

  private static func entries(_ path: String) -> [String] {
    guard let directory = opendir(path) else { return [] }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != "." && name != ".." { names.append(path + "/" + name) }
    }
    return names
  }

  private static func isDirectory(_ path: String, _ status: inout stat) -> Bool {
    lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
  }

  /// Bytes on the disk, of everything below.
  private static func size(of path: String) -> Int {
    entries(path).reduce(0) { sum, entry in
      var status = stat()
      if isDirectory(entry, &status) { return sum + size(of: entry) }
      return sum + Int(status.st_blocks) * 512
    }
  }

  /// Scripts may run meanwhile: PHP takes a file that is gone for one that was never there.
  private static func empty(_ path: String, keeping kept: [String] = []) {
    for entry in entries(path) where !kept.contains(where: { entry == path + "/" + $0 }) {
      var status = stat()
      guard isDirectory(entry, &status) else {
        unlink(entry)
        continue
      }
      empty(entry)
      rmdir(entry)
    }
  }

  /// In one step, and only if it says something else.
  private static func write(_ text: String, to path: String) throws(Refused) {
    guard FileText.read(path, limit: 8192) != text else { return }
    let draft = path + ".new"
    unlink(draft)
    let file = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard file >= 0 else { throw Refused(reason: "\(SystemError("create \(draft)"))") }
    var text = text
    let written = text.withUTF8 { Glibc.write(file, $0.baseAddress, $0.count) }
    let error = SystemError("write \(draft)")
    close(file)
    guard written == text.utf8.count else {
      unlink(draft)
      throw Refused(reason: "\(error)")
    }
    guard rename(draft, path) == 0 else { throw Refused(reason: "\(SystemError("rename \(draft)"))") }
  }
}
