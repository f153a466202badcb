import Glibc

/// The environment of this process, and what of it the scripts and children get.
public enum ScriptEnvironment {
  /// All of it as KEY=value.
  public static func current() -> [String] {
    var entries: [String] = []
    var cursor = environ
    while let entry = cursor.pointee {
      entries.append(String(cString: entry))
      cursor += 1
    }
    return entries
  }

  public static func value(_ name: String) -> String? {
    getenv(name).map { String(cString: $0) }
  }

  /// Less what systemd meant for the service itself: a script that finds NOTIFY_SOCKET could end the service's watchdog, or be its.
  public static func forScripts(_ entries: [String]) -> [String] {
    entries.filter { entry in
      !entry.hasPrefix("NOTIFY_SOCKET=") && !entry.hasPrefix("WATCHDOG_") && !entry.hasPrefix("LISTEN_")
    }
  }
}
