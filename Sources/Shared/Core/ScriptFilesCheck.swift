import Glibc

/// Looks at the files and directories that LibreNMS's scripts write, with the rights of whoever asks.
///
/// A single command that was run as root leaves files that the service's user can't write, and scripts then fail without a word.
/// The look may hang on a file server, so it is made on a thread of its own or in a helper process, never on a loop.
public struct ScriptFilesCheck: Sendable {
  /// What one file or directory is like; nil = it does not exist.
  public struct Facts: Equatable, Sendable {
    public var owner: UInt32
    public var isDirectory: Bool
    /// By the effective user of this process, access control lists included.
    public var isWritable: Bool

    public init(owner: UInt32, isDirectory: Bool, isWritable: Bool) {
      self.owner = owner
      self.isDirectory = isDirectory
      self.isWritable = isWritable
    }
  }

  public struct Problem: Equatable, Sendable {
    public var path: String
    /// Scripts can't write it; false: it merely belongs to somebody else, which becomes a fault when its mode or group changes.
    public var isUnwritable: Bool
    /// User name of the owner, or the number of a user without a name.
    public var owner: String
    public var isDirectory: Bool

    public var text: String {
      let what = "\(path) belongs to \(owner)"
      return isUnwritable ? "\(what) and can't be written by \(ScriptFilesCheck.ownName)" : "\(what), not to \(ScriptFilesCheck.ownName)"
    }
  }

  /// Files and directories looked at, and the time for it: a tree of RRD files may have millions, on a file server.
  private static let entryLimit = 20_000
  private static let timeLimit = Duration.seconds(2)
  /// Levels below the paths: RRD files are two below, the values of LibreNMS's file cache three.
  private static let depth = 3
  /// Problems returned: one is enough to act on, a few show the pattern.
  private static let problemLimit = 5

  public var base: String
  /// `log_dir`.
  public var logDirectory: String
  /// `log_file`.
  public var logFile: String
  /// `rrd_dir`; nil = `<base>/rrd`.
  public var rrdDirectory: String?

  public init(base: String, logDirectory: String, logFile: String, rrdDirectory: String? = nil) {
    self.base = base
    self.logDirectory = logDirectory
    self.logFile = logFile
    self.rrdDirectory = rrdDirectory
  }

  /// In this order they are looked at. What does not exist is passed over: which of them an installation has differs between versions.
  public var paths: [String] {
    let laravel = ["", "/framework", "/framework/cache", "/framework/cache/data", "/framework/sessions", "/framework/views", "/logs"]
    return [logFile, logDirectory, rrdDirectory ?? base + "/rrd"] + laravel.map { base + "/storage" + $0 }
      + [base + "/bootstrap/cache", base + "/cache"]
  }

  /// The problems found, those that stop scripts first, at most a few; empty = nothing was found.
  ///
  /// Goes level by level, so that a large tree costs no other one its turn, and takes as much of each directory as of the next where there
  /// is more than can be looked at. Nothing below a directory of somebody else is told: it goes with it.
  public func look() -> [Problem] {
    var found: [Problem] = []
    var seen: Set<String> = []
    let (user, end) = (geteuid(), MonotonicTime.now + Self.timeLimit)
    var level = paths
    for depth in 0...Self.depth {
      var directories: [String] = []
      for path in level where seen.count < Self.entryLimit && MonotonicTime.now < end {
        guard seen.insert(path).inserted, let facts = Self.facts(of: path) else { continue }
        if let problem = Self.judge(path, facts, user: user) {
          found.append(problem)
        } else if facts.isDirectory {
          directories.append(path)
        }
      }
      guard depth < Self.depth, !directories.isEmpty else { break }
      let share = max(1, (Self.entryLimit - seen.count) / directories.count)
      level = []
      for directory in directories where MonotonicTime.now < end {
        level += Self.entries(of: directory, limit: share).map { directory + "/" + $0 }
      }
    }
    // `sort` is not stable: the order of the looks is kept by hand.
    return Array((found.filter(\.isUnwritable) + found.filter { !$0.isUnwritable }).prefix(Self.problemLimit))
  }

  /// nil = nothing is wrong with it. `user`: the one that the scripts run as.
  public static func judge(_ path: String, _ facts: Facts, user: UInt32) -> Problem? {
    guard !facts.isWritable || facts.owner != user else { return nil }
    return Problem(path: path, isUnwritable: !facts.isWritable, owner: name(of: facts.owner), isDirectory: facts.isDirectory)
  }

  static func facts(of path: String) -> Facts? {
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    let isDirectory = status.st_mode & S_IFMT == S_IFDIR
    guard isDirectory || status.st_mode & S_IFMT == S_IFREG else { return nil }
    let writable = faccessat(AT_FDCWD, path, isDirectory ? W_OK | X_OK : W_OK, AT_EACCESS) == 0
    return Facts(owner: status.st_uid, isDirectory: isDirectory, isWritable: writable)
  }

  /// Names in a directory without the hidden ones; empty where it can't be read.
  public static func entries(of path: String, limit: Int) -> [String] {
    guard let directory = opendir(path) else { return [] }
    defer { closedir(directory) }
    var names: [String] = []
    while names.count < limit, let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if !name.hasPrefix(".") { names.append(name) }
    }
    return names
  }

  /// The effective user of this process, by name.
  public static var ownName: String { name(of: geteuid()) }

  public static func name(of user: UInt32) -> String {
    var entry = passwd()
    var result: UnsafeMutablePointer<passwd>?
    return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 16 * 1024) { buffer in
      guard let text = buffer.baseAddress, getpwuid_r(user, &entry, text, buffer.count, &result) == 0, result != nil else {
        return "user \(user)"
      }
      return String(cString: entry.pw_name)
    }
  }
}
