/// Holds the dump against the rows of table `config`, of which it is made.
///
/// LibreNMS keeps its configuration in a file cache of each node for some minutes, and only the node on which a setting is changed clears
/// its own: a dump may be older than the change for which it is read.
enum DumpAgreement {
  /// Dumps that are read at once; what differs in all of them is in force then, and read again later for as long as a cache lives.
  static let readings = 3
  static let pause = Duration.seconds(2)
  /// Only what is read here is looked at: LibreNMS itself changes others on the way, such as the paths of programs.
  private static let prefixes = ["service_", "schedule_type.", "distributed_poller", "log_", "ping_rrd_step", "rrd", "redis_", "db_"]
  /// Names in a message.
  private static let named = 5

  /// The names of scalar rows of which the dump says something else, in order. `rows`: `config_name`, and `config_value` as JSON.
  /// `configurationFile`: the text of `config.php`, which is stronger than the table: what it names may differ.
  static func disagreements(
    rows: [(name: String, value: JSONValue)], dump: [String: JSONValue], configurationFile: String = ""
  ) -> [String] {
    rows.compactMap { name, value in
      guard prefixes.contains(where: name.hasPrefix), let wanted = scalar(value), let said = said(name, dump), said != wanted,
        !isNamed(name, in: configurationFile)
      else { return nil }
      return name
    }.sorted()
  }

  /// What is said when they still differ after several readings.
  static func complaint(_ names: [String]) -> String {
    let list = names.prefix(named).joined(separator: ", ") + (names.count > named ? " and \(names.count - named) more" : "")
    return """
      LibreNMS's config dump differs from table config in \(list), in each of \(readings) readings: what an included file of config.php sets \
      is stronger and this is right; else LibreNMS answers from an old cache, and `lnms config:clear` here empties it
      """
  }

  /// In one form for what PHP writes in several: 1, "1" and true are told apart by nobody who reads settings.
  private static func scalar(_ value: JSONValue) -> String? {
    switch value {
    case .bool(let value): value ? "1" : "0"
    case .int(let value): String(value)
    case .double(let value): Int(exactly: value).map(String.init) ?? String(value)
    case .string(let text):
      switch text.trimmed.lowercased() {
      case "true": "1"
      case "false": "0"
      default: number(text.trimmed) ?? text
      }
    case .null, .array, .object: nil
    }
  }

  private static func number(_ text: String) -> String? {
    Double(text).map { Int(exactly: $0).map(String.init) ?? String($0) }
  }

  /// `a.b` is b in the object a; null and what is not there are the empty text. nil = it is no scalar there, which tells nothing.
  private static func said(_ name: String, _ dump: [String: JSONValue]) -> String? {
    if let value = dump[name] { return scalar(value) ?? (value == .null ? "" : nil) }
    var value = JSONValue.object(dump)
    for part in name.split(separator: ".", omittingEmptySubsequences: false) {
      switch value {
      case .object(let object): value = object[String(part)] ?? .null
      case .array(let list): value = Int(part).flatMap { list.indices.contains($0) ? list[$0] : nil } ?? .null
      default: return nil
      }
    }
    return scalar(value) ?? (value == .null ? "" : nil)
  }

  private static func isNamed(_ name: String, in file: String) -> Bool {
    guard !file.isEmpty else { return false }
    return name.split(separator: ".").allSatisfy { file.contains("'\($0)'") || file.contains("\"\($0)\"") || Int($0) != nil }
  }
}
