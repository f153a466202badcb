import Core

/// What LibreNMS's scripts write, as a finding of `validate`: a command that was run as root once is what breaks them most.
enum WrittenFiles {
  /// `user`: the one of the service, as whom the look was made.
  static func check(_ problems: [ScriptFilesCheck.Problem], user: String) -> Check {
    let subject = "what scripts write"
    // What belongs to somebody else stops root never.
    guard let first = problems.first, user != "root" || first.isUnwritable else {
      return .ok(subject, "log, rrd, storage and caches can be written by \(user)")
    }
    let text = problems.map(\.text).joined(separator: "; ")
    let advice = "chown -R \(user) these, as root, and let no LibreNMS command be run as another user"
    return first.isUnwritable ? .fail(subject, text, advice) : .warn(subject, text, advice)
  }
}
