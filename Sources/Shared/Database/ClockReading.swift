import Core
import Glibc

/// The database's clock and time zone beside those of this host, at one moment.
public struct ClockReading: Equatable, Sendable {
  /// The database's clock less ours, in seconds. Right to half of the round trip.
  public var skew: Double
  public var roundTrip: Duration
  /// Offsets from UTC in seconds: of the server's own zone, and of this host.
  public var databaseOffset: Int
  public var hostOffset: Int

  public init(skew: Double, roundTrip: Duration, databaseOffset: Int, hostOffset: Int) {
    self.skew = skew
    self.roundTrip = roundTrip
    self.databaseOffset = databaseOffset
    self.hostOffset = hostOffset
  }

  /// nil = the server's answer makes no sense.
  public static func read(_ connection: DatabaseConnection) throws(DatabaseError) -> ClockReading? {
    let before = WallClock.now
    let asked = MonotonicTime.now
    let rows = try connection.query("SELECT UNIX_TIMESTAMP(NOW(6)), TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(), \(ServerZone.now))")
    // Not by the wall clock, which may be set in between.
    let roundTrip = MonotonicTime.now - asked
    guard let row = rows.first, let seconds = row[0].double, let offset = row[1].int else { return nil }
    var now = time(nil)
    var local = tm()
    localtime_r(&now, &local)
    // The two functions of one statement read one clock, but the difference is cut to seconds: round to the quarter hours that zones have.
    let quarter = Int((Double(offset) / 900).rounded()) * 900
    return ClockReading(
      skew: seconds - before.inSeconds - roundTrip.inSeconds / 2, roundTrip: roundTrip, databaseOffset: quarter,
      hostOffset: local.tm_gmtoff)
  }
}
