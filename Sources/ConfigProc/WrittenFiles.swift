import Core

/// What LibreNMS's scripts write, as a finding of `validate`: a command that was run as root once is what breaks them most.
enum WrittenFiles {
  static func check(_ files: ScriptFilesCheck) -> Check { check(files.look(), base: files.base, user: ScriptFilesCheck.ownName) }

  /// `user`: who asks; only what the service's own user finds is what its scripts will.
  static func check(_ problems: [ScriptFilesCheck.Problem], base: String, user: String) -> Check {
    let subject = "what scripts write"
    let advice = "stop LibreNMS commands from being run as another user"
    guard let first = problems.first else { return .ok(subject, "log, rrd, storage and caches belong to \(user) and can be written") }
    if user == "root" {
      // To root everything is writable and most is foreign.
      return .ok(subject, "can't be judged as root; run this as the user of the service (runuser -u librenms -- …)")
    }
    let text = problems.map(\.text).joined(separator: "; ")
    if first.isUnwritable { return .fail(subject, text, "chown -R \(user) these, as root, and \(advice)") }
    return .warn(subject, text, "chown -R \(user) these, as root, or \(advice)")
  }
}
