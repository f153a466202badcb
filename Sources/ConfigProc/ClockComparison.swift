/// Clocks and time zones of this host, PHP and the database.
struct ClockComparison: Equatable {
  /// The database's clock less ours, in seconds.
  var skew: Double
  /// Offsets from UTC in seconds: the database's, this host's, and PHP's if it could be asked.
  var databaseOffset: Int
  var hostOffset: Int
  var phpOffset: Int?

  /// LibreNMS's own validation complains from 5 s; below 2 s it may be the network.
  var checks: [Check] { [clock, zone] }

  private var clock: Check {
    let tenths = (abs(skew) * 10).rounded() / 10
    let text = "the database's clock is \(tenths) s \(skew < 0 ? "behind" : "ahead of") this host's"
    switch abs(skew) {
    case ...2: return .ok("clock", "database and host agree within 2 s")
    case ...5: return .warn("clock", text, "run a time service (chrony, systemd-timesyncd) on both hosts")
    default: return .fail("clock", text, "run a time service (chrony, systemd-timesyncd) on both hosts")
    }
  }

  private var zone: Check {
    let wayOut = "set the same time zone for the system (timedatectl), in php.ini (date.timezone) and in the database (default-time-zone)"
    let database = "the database's NOW() is at UTC\(Self.shown(databaseOffset))"
    if let phpOffset, phpOffset != databaseOffset {
      return .fail("time zone", "\(database), PHP is at UTC\(Self.shown(phpOffset))", wayOut)
    }
    if hostOffset != databaseOffset {
      let text = "\(database), this host is at UTC\(Self.shown(hostOffset))"
      // PHP writes the times that are compared with NOW(); where it agrees, the host's zone only confuses people.
      return phpOffset == nil ? .fail("time zone", text, wayOut) : .warn("time zone", text, wayOut)
    }
    return .ok("time zone", phpOffset == nil ? "database and host agree (PHP could not be asked)" : "database, host and PHP agree")
  }

  private static func shown(_ offset: Int) -> String {
    let minutes = abs(offset) / 60
    let rest = minutes % 60
    return "\(offset < 0 ? "-" : "+")\(minutes / 60):\(rest < 10 ? "0" : "")\(rest)"
  }
}
