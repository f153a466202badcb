import Core
import Glibc

/// Whom the scripts run as. What files allow is looked at as this user, for root may write everything; and a command of LibreNMS that root
/// runs leaves files that the service can't write afterwards.
struct ServiceUser: Equatable {
  struct Owner: Equatable {
    var path: String
    var user: UInt32
    var group: UInt32
  }

  var user: UInt32
  /// Where the user has no entry in passwd, which names one.
  var group: UInt32
  /// How this is known, for messages.
  var origin: String

  var name: String { ScriptFilesCheck.name(of: user) }

  /// `running`: of the process that works in this directory now. `owners`: in the order in which they count. `asker`: who asks, meant where
  /// nothing else is known, because all is root's.
  static func choose(running: UInt32?, owners: [Owner], asker: UInt32) -> ServiceUser {
    let fallback = owners.first?.group ?? 0
    if let running { return ServiceUser(user: running, group: fallback, origin: "as the service that runs") }
    if let owner = owners.first(where: { $0.user != 0 }) {
      return ServiceUser(user: owner.user, group: owner.group, origin: "the owner of \(owner.path)")
    }
    return ServiceUser(user: asker, group: fallback, origin: "nothing here belongs to a user but root")
  }

  static func find(base: String, holder: Int32?) -> ServiceUser {
    // LibreNMS itself insists that lnms is run by its owner.
    let owners = ["", "/lnms", "/.env", "/rrd", "/logs"].compactMap { owner(of: base + $0) }
    return choose(running: holder.flatMap(effectiveUser), owners: owners, asker: geteuid())
  }

  /// For the rest of this process, where root asks; nil = this process is that user now, or asks as somebody else who can't change.
  func become() -> SystemError? {
    guard geteuid() == 0, user != 0 else { return nil }
    let entry = getpwuid(user)
    let group = entry?.pointee.pw_gid ?? group
    let groups = entry.map { initgroups($0.pointee.pw_name, group) } ?? setgroups(0, nil)
    guard groups == 0, setgid(group) == 0, setuid(user) == 0 else { return SystemError("become \(name)") }
    return nil
  }

  /// `asker`: who asks after `failure`, the answer of `become`.
  func check(failure: SystemError?, asker: UInt32 = geteuid()) -> Check {
    if let failure { return .warn("user", "root can't look as \(name) (\(origin)) here: \(failure.reason)", "run this as \(name)") }
    guard asker == user else {
      let asker = ScriptFilesCheck.name(of: asker)
      return .warn("user", "the service's user is \(name) (\(origin)), and this looks as \(asker)", "run this as \(name) or as root")
    }
    return .ok("user", "looks as \(name), as the scripts do (\(origin))")
  }

  private static func owner(of path: String) -> Owner? {
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    return Owner(path: path, user: status.st_uid, group: status.st_gid)
  }

  /// Not the owner of its directory in /proc, which is root for a process that nobody may look into.
  private static func effectiveUser(_ pid: Int32) -> UInt32? {
    let line = FileText.read("/proc/\(pid)/status", limit: 8192)?.split(separator: "\n").first { $0.hasPrefix("Uid:") }
    let numbers = line?.dropFirst(4).split(whereSeparator: \.isWhitespace)
    return numbers.flatMap { $0.count > 1 ? UInt32($0[1]) : nil }
  }
}
