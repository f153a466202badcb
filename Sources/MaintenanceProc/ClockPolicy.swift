/// Judges clocks and time zones: what they are, and what they do to the schedule.
enum ClockPolicy {
  /// The database's clock less this host's, and how far each is from UTC, in seconds.
  struct Reading: Equatable, Sendable {
    var skew: Double
    var databaseOffset: Int
    var hostOffset: Int
  }

  /// What LibreNMS's own validation complains about.
  static let limit = 5.0
  /// Below this the clocks agree again.
  static let agreement = 3.0
  /// One device may have a fault of its own.
  static let fewestDevices = 3

  private static let oneZone =
    "use one time zone for PHP (date.timezone), the database (default-time-zone) and this host (timedatectl), and a time service (chrony)"

  /// The clocks themselves.
  static func skew(_ reading: Reading) -> Finding {
    let size = abs(reading.skew)
    let signal: WarningPolicy.Signal = size > limit ? .bad : size < agreement ? .good : .unclear
    return Finding(
      key: "clock", signal: signal,
      text: """
        the database's clock is \(tenths(size)) s \(reading.skew < 0 ? "behind" : "ahead of") this host's: what is due is decided by the one, \
        what is written by the other. Run a time service (chrony, systemd-timesyncd) on both hosts
        """,
      relief: "the clocks of database and host agree again", onset: .seconds(30), calm: .seconds(30))
  }

  /// Scripts that end well while their devices stay due. `behind`: how far the time of the example is behind NOW(), nil = not known.
  ///
  /// The device runs on its own clock meanwhile, so nothing is done too often; but whoever reads its times in LibreNMS is misled.
  static func stayedDue(
    _ type: String, column: String, devices: Int, example: String?, behind: Int?, period: Duration, isReadOnly: Bool, _ reading: Reading?
  ) -> Finding {
    let signal: WarningPolicy.Signal = devices >= fewestDevices ? .bad : devices == 0 ? .good : .unclear
    let done = type == "poller" ? "polled" : "discovered"
    var text = "\(devices) devices were \(done) with success and stayed due in the database"
    if let example {
      text += ", device \(example) among them"
      if let behind { text += " (its \(column) is \(behind < 0 ? "\(-behind) s ahead of" : "\(behind) s behind") the database's NOW())" }
    }
    text += ". " + cause(column, behind: behind, period: period, isReadOnly: isReadOnly, reading)
    return Finding(
      key: "stayed due \(type)", signal: signal, text: text, relief: "\(type): devices are no longer due at once after a success",
      // Its figures are asked for meanwhile.
      onset: .seconds(65), calm: .seconds(30))
  }

  private static func cause(_ column: String, behind: Int?, period: Duration, isReadOnly: Bool, _ reading: Reading?) -> String {
    if isReadOnly {
      return """
        The database server is read-only (@@read_only): nothing that the scripts find is kept. Let DB_HOST name the server that takes writes, or \
        SET GLOBAL read_only = 0 there if it is that one
        """
    }
    var text = ""
    if let reading {
      text = """
        NOW() is at UTC\(zone(reading.databaseOffset)), this host at UTC\(zone(reading.hostOffset)), \
        their clocks differ by \(tenths(abs(reading.skew))) s. 
        """
    }
    // Zones are whole quarters of an hour apart; a script that has just written another zone's time is behind or ahead by that.
    let rest = behind.map { abs($0) % 900 }
    if let behind, let rest, abs(behind) < 15 * 3600, abs(behind) >= 800,
      min(rest, 900 - rest) <= min(300, Int(period.components.seconds) + 60)
    {
      return text + "The scripts write another time than the database compares with: \(oneZone)"
    }
    return text + """
      The scripts write no new \(column), or another one than is read here: a replica that is behind, another database in PHP's configuration than in \
      .env, a trigger; else \(oneZone). See what the script prints
      """
  }

  /// Devices whose last poll is in the future: nothing polls them until then. `furthest`: by how many seconds at most.
  static func ahead(devices: Int, orMore: Bool, furthest: Int, _ reading: Reading?) -> Finding {
    let offsets = reading.map { " (NOW() is at UTC\(zone($0.databaseOffset)), this host at UTC\(zone($0.hostOffset)))" } ?? ""
    return Finding(
      key: "polled in the future", signal: devices == 0 ? .good : .bad,
      text: """
        last_polled of \(devices)\(orMore ? " or more" : "") device\(devices == 1 ? "" : "s") is up to \(furthest) s ahead of the database's NOW()\(offsets): they are \
        polled late by that. The scripts write another time than the database compares with: \(oneZone)
        """,
      relief: "no device's last_polled is in the future any more", onset: .seconds(30), calm: .seconds(30))
  }

  static func tenths(_ seconds: Double) -> String { "\((min(seconds, 1e9) * 10).rounded() / 10)" }

  static func zone(_ offset: Int) -> String {
    let minutes = offset.magnitude / 60
    let rest = minutes % 60
    return "\(offset < 0 ? "-" : "+")\(minutes / 60):\(rest < 10 ? "0" : "")\(rest)"
  }
}
