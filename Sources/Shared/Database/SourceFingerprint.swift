import Core
import Glibc

/// What the sources of the configuration look like, as a text that changes when one of them does: the cheap look that decides whether the
/// expensive reading (0.3 s of CPU for PHP's dump) is due.
///
/// Seen: the node's row without what nodes report in it, the contents of table `config`, and the files that say where the database is,
/// what `config.php` adds and which scripts this version of LibreNMS has. Not seen: what `config.php` includes, and variables in it that
/// depend on something else; the hourly reading is for those.
public enum SourceFingerprint {
  /// Columns of `poller_cluster` that a running node writes.
  private static let reported: Set<String> = ["id", "poller_version", "last_report", "master"]
  private static let files = ["/.env", "/config.php", "/app/Console/Commands/DeviceDiscover.php", "/app/Console/Commands/DevicePing.php"]

  private static let unsettledMark: Character = "~"

  /// Of sources whose dump did not say what table `config` says, so that it may have been an old one.
  public static func unsettled(_ fingerprint: String) -> String { String(unsettledMark) + fingerprint }

  public static func parts(_ text: String) -> (fingerprint: String, isSettled: Bool) {
    text.first == unsettledMark ? (String(text.dropFirst()), false) : (text, true)
  }

  /// Throws what the database says.
  public static func read(_ connection: DatabaseConnection, base: String, nodeID: String) throws(DatabaseError) -> String {
    var parts: [String] = []
    if let row = try connection.query("SELECT * FROM `poller_cluster` WHERE `node_id` = ?", [.text(nodeID)]).first {
      for (index, column) in row.columns.enumerated() where !reported.contains(column) { parts.append(row[index].text ?? "-") }
    }
    // The sum of checksums, since its order does not matter and it fits a double up to millions of rows.
    let table = try connection.query(
      "SELECT COUNT(*), COALESCE(SUM(CRC32(CONCAT_WS('\u{1}', `config_name`, `config_value`))), 0) FROM `config`"
    ).first
    parts.append("\(table?[0].text ?? "-")/\(table?[1].text ?? "-")")
    for file in files { parts.append(look(base + file)) }
    return parts.joined(separator: "|")
  }

  /// Size, time and number of a file: an editor that writes a new one changes them all.
  private static func look(_ path: String) -> String {
    var status = stat()
    guard stat(path, &status) == 0 else { return "-" }
    return "\(status.st_ino).\(status.st_size).\(status.st_mtim.tv_sec).\(status.st_mtim.tv_nsec)"
  }
}
