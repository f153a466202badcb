import Glibc

/// The environment of this process, and what of it the scripts and children get.
public enum ScriptEnvironment {
  /// All of it as KEY=value.
  public static func current() -> [CText] {
    var entries: [CText] = []
    var cursor = environ
    while let entry = cursor.pointee {
      entries.append(CText(cString: entry))
      cursor += 1
    }
    return entries
  }

  /// What is no UTF-8 is repaired: only for names that `unreadable` was asked about, or that mean nothing.
  public static func value(_ name: String) -> String? {
    getenv(name).map { String(cString: $0) }
  }

  /// The first entry among the names that is no UTF-8, as a message for people. `mayShow`: false for secrets.
  public static func unreadable(
    in entries: [CText] = current(), among isMeant: (String) -> Bool, mayShow: (String) -> Bool = { _ in true }
  ) -> String? {
    for entry in entries where entry.string == nil {
      guard let sign = entry.bytes.firstIndex(of: UInt8(ascii: "=")),
        let name = CText(bytes: entry.bytes[..<sign]).string, isMeant(name)
      else { continue }
      let value = mayShow(name) ? "=" + VisibleText.of(entry.bytes[(sign + 1)...]) : ""
      return "environment variable \(name)\(value) has bytes that are no UTF-8; write it in UTF-8"
    }
    return nil
  }

  /// Less what systemd meant for the service itself: a script that finds NOTIFY_SOCKET could end the service's watchdog, or be its.
  public static func forScripts(_ entries: [CText]) -> [CText] {
    entries.filter { entry in
      !entry.hasPrefix("NOTIFY_SOCKET=") && !entry.hasPrefix("WATCHDOG_") && !entry.hasPrefix("LISTEN_")
    }
  }
}
