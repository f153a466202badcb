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

  /// The one this process is to use, with symbolic links resolved, so that lock, runtime directory and process list agree on its name.
  /// Throws when there is no such directory.
  static func resolve(flag: String?) throws(SystemError) -> String {
    let chosen = choose(
      flag: flag, environment: ScriptEnvironment.value("LIBRENMS_BASE"), working: path(of: "."),
      holdsLnms: { access($0 + "/lnms", F_OK) == 0 })
    guard let path = path(of: chosen) else { throw SystemError("base directory \(chosen)") }
    var status = stat()
    guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
      throw SystemError("base directory \(chosen)", number: ENOTDIR)
    }
    return path
  }

  private static func path(of name: String) -> String? {
    guard let resolved = realpath(name, nil) else { return nil }
    defer { free(resolved) }
    return String(cString: resolved)
  }
}
