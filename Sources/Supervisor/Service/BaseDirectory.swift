import Core
import Glibc

/// The directory of the LibreNMS installation.
enum BaseDirectory {
  static let standard = "/opt/librenms"

  /// `--base`, else the environment variable LIBRENMS_BASE, else the working directory if it holds `lnms`, else the standard place.
  static func choose(flag: String?, environment: String?, working: String?, holdsLnms: (String) -> Bool) -> String {
    if let flag, !flag.isEmpty { return flag }
    if let environment, !environment.isEmpty { return environment }
    if let working, holdsLnms(working) { return working }
    return standard
  }

  /// Why there is no base directory, for people.
  struct Unusable: Error, CustomStringConvertible {
    var description: String
  }

  /// The one this process is to use, with symbolic links resolved, so that lock, runtime directory and process list agree on its name.
  /// Throws when there is no such directory, and for a path that is no UTF-8: it goes through JSON and into PHP's own configuration.
  static func resolve(flag: String?) throws(Unusable) -> String {
    let chosen = choose(
      flag: flag, environment: ScriptEnvironment.value("LIBRENMS_BASE"), working: ".", holdsLnms: { access($0 + "/lnms", F_OK) == 0 })
    guard let path = resolved(chosen) else { throw Unusable(description: "\(SystemError("base directory \(chosen)"))") }
    guard let text = path.string else {
      throw Unusable(description: "base directory \(path.visible): its path has bytes that are no UTF-8; rename or mount it elsewhere")
    }
    var status = stat()
    guard stat(text, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
      throw Unusable(description: "\(SystemError("base directory \(chosen)", number: ENOTDIR))")
    }
    return text
  }

  /// Absolute and without links; nil: there is nothing of that name (errno says why).
  static func resolved(_ name: String) -> CText? {
    guard let resolved = realpath(name, nil) else { return nil }
    defer { free(resolved) }
    return CText(cString: resolved)
  }
}
