/// SQL for DATETIME columns that LibreNMS keeps in the server's own time zone, such as `last_report` of `poller_cluster`.
///
/// Our sessions run in UTC: there every instant has one text, and comparisons hold also in the hour that comes twice when summer time ends.
/// TIMESTAMP columns, which the times of devices are, hold instants and follow the session's zone; DATETIME columns hold a text.
public enum ServerZone {
  /// What NOW() is in a session that has the server's zone. UTC where the server can't tell: its zone has a name and its tables of zones
  /// are gone.
  public static let now = "COALESCE(CONVERT_TZ(UTC_TIMESTAMP(), '+00:00', @@global.time_zone), UTC_TIMESTAMP())"

  /// Seconds since the text in this column.
  ///
  /// A text of the hour that comes twice names two moments, and which one the server takes differs with how it has its zone [tried with MariaDB
  /// 10.11]. Within that hour the difference of the two texts is right, and around it that of the moments: the smaller one is taken. Where both
  /// are wrong, the text is from the last seconds of summer time and the answer an hour below zero.
  public static func age(_ column: String) -> String {
    let moments = "TIMESTAMPDIFF(SECOND, CONVERT_TZ(\(column), @@global.time_zone, '+00:00'), UTC_TIMESTAMP())"
    let texts = "TIMESTAMPDIFF(SECOND, \(column), \(now))"
    return "IF(ABS(\(moments)) < ABS(\(texts)), \(moments), \(texts))"
  }
}
