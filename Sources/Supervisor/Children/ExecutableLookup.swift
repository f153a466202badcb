import Core
import Glibc

/// Where the other executables of this installation are.
struct ExecutableLookup {
  let directories: [String]

  /// Beside this very executable, whatever it was called with, then in `../libexec/librenms-dispatcher/`. The environment variable
  /// DISPATCHER_LIBEXEC names another directory instead of both, for tests and for trying a build.
  init(environment: String? = ScriptEnvironment.value("DISPATCHER_LIBEXEC"), executable: String? = Self.ownPath()) {
    if let environment, !environment.isEmpty {
      directories = [BaseDirectory.resolved(environment)?.string ?? environment]
      return
    }
    guard let executable, let slash = executable.lastIndex(of: "/") else {
      directories = []
      return
    }
    let own = String(executable[..<slash])
    directories = [own, own + "/../libexec/librenms-dispatcher"]
  }

  /// The path of an executable, looked up anew each time: an upgrade may replace files under a running service.
  func find(_ name: String) -> String? {
    directories.lazy.map { $0 + "/" + name }.first { access($0, X_OK) == 0 }
  }

  /// For messages about an executable that is not there.
  var description: String { directories.joined(separator: " and ") }

  static func ownPath() -> String? {
    guard let path = SymbolicLink.read("/proc/self/exe") else { return nil }
    // The kernel marks a file that was replaced while it ran; its directory is still the right one.
    return path.hasSuffix(" (deleted)") ? String(path.dropLast(10)) : path
  }
}
