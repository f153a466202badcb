import Core
import Database
import Glibc

/// Reads all sources until there is a configuration that can be trusted, or none that ever could be.
///
/// The database is asked before and after the dump on one connection: a dump that LibreNMS made without its database is made of defaults.
final class Resolution {
  private let reader: SourceReader
  private let port: ReportPort
  private let report: (ResolverReport) -> Void
  private var lastReason = ""
  /// `db_*` keys of an earlier dump; they are how an old installation says where its database is.
  private var databaseKeys: [String: JSONValue] = [:]
  private var moves = 0
  private var lookedInDump = false

  /// Connecting again this often brings the work back within two seconds of the server's return.
  private static let retry = 1.0...1.5

  /// `report` gets every change of the waiting reason.
  init(reader: SourceReader, port: ReportPort, report: @escaping (ResolverReport) -> Void) {
    self.reader = reader
    self.port = port
    self.report = report
  }

  /// Waits as long as it takes; the answer is `resolved` or `refused`.
  func run() -> ResolverReport {
    var backOff = BackOff()
    while true {
      do throws(Obstacle) {
        return try attempt()
      } catch {
        switch error {
        case .refused(let refusal): return .refused(exitCode: refusal.exitCode, message: refusal.message)
        case .databaseAway(let reason):
          wait(reason, .seconds(Double.random(in: Self.retry)))
          backOff.reset()
        case .unusable(let reason): wait(reason, backOff.wait())
        case .moved: continue
        }
      }
    }
  }

  /// Why an attempt gave no configuration.
  enum Obstacle: Error {
    case refused(Refusal)
    case databaseAway(String)
    /// A dump or a table that is not what it should be: worth trying again, but not every second.
    case unusable(String)
    /// The dump named another database than the one that was asked: ask that one.
    case moved
  }

  /// Everything is read anew in each attempt, so that a corrected file ends the wait.
  private func attempt() throws(Obstacle) -> ResolverReport {
    var sources: ConfigSources
    let settings: DatabaseSettings
    do throws(Refusal) {
      sources = try reader.files()
      settings = try reader.databaseSettings(sources, dump: databaseKeys)
    } catch {
      throw .refused(error)
    }
    let connection = SourceReader.connection(settings)
    defer { connection.close() }
    do throws(DatabaseError) {
      try connection.connect()
      // Before the dump, and not only "connected": a server may greet and be of no use.
      try reader.row(connection, sources)
    } catch {
      if error.kind == .unreachable { try lookForDatabaseInDump(sources) }
      throw obstacle(error, settings, sources)
    }
    // Before everything else is read: what changes meanwhile makes a difference at the next look.
    let fingerprint = (try? SourceFingerprint.read(connection, base: reader.base, nodeID: reader.nodeID(sources))) ?? ""
    sources.dump = try dump(sources)
    let differing = try settle(&sources, connection)
    do throws(DatabaseError) {
      sources.row = try reader.row(connection, sources)
    } catch {
      throw obstacle(error, settings, sources)
    }
    sources.scripts = reader.tree.scripts
    var resolver = ConfigResolver(sources)
    var resolved: Settings
    do throws(Refusal) { resolved = try resolver.resolve() } catch { throw .refused(error) }
    resolved.fingerprint = differing.isEmpty ? fingerprint : SourceFingerprint.unsettled(fingerprint)
    if resolved.database != settings {
      moves += 1
      guard moves < 4 else {
        moves = 0
        throw .unusable("the config dumps of two databases name each other; set DB_HOST and the other DB_ variables in \(reader.base)/.env")
      }
      remember(sources.dump)
      throw .moved
    }
    let disagreement = differing.isEmpty ? [] : [ConfigNote(level: .info, text: DumpAgreement.complaint(differing))]
    return .resolved(
      settings: resolved, entries: resolver.entries,
      notes: resolver.notes + disagreement + cronNotes(resolved) + NicenessCheck.notes(resolved))
  }

  /// Reads the dump again as long as it differs from table `config`, a few times; returns the names in which it still does.
  private func settle(_ sources: inout ConfigSources, _ connection: DatabaseConnection) throws(Obstacle) -> [String] {
    for reading in 1... {
      // A table that can't be read is said where it matters; without it there is nothing to hold the dump against.
      guard let rows = try? reader.rows(connection) else { return [] }
      let names = DumpAgreement.disagreements(rows: rows, dump: sources.dump, configurationFile: reader.tree.configurationFile)
      if names.isEmpty || reading == DumpAgreement.readings { return names }
      port.pause(DumpAgreement.pause)
      sources.dump = try dump(sources)
    }
    return []
  }

  /// A file that this user can't read is said by `validate`, which can tell what to do.
  private func cronNotes(_ settings: Settings) -> [ConfigNote] {
    let path = CronTable.file
    guard let text = FileText.read(path, limit: 1 << 20) else { return [] }
    return CronTable.note(text, path: path, enabled: CronTable.counted(settings)).map { [$0] } ?? []
  }

  /// An old installation names its database in `config.php` only. Without that sign no dump is made while the database is away: LibreNMS
  /// would keep the defaults it then prints for five minutes.
  private func lookForDatabaseInDump(_ sources: ConfigSources) throws(Obstacle) {
    guard !lookedInDump, !ConfigResolver.namesDatabase(sources), reader.tree.configurationFileNamesDatabase else { return }
    remember(try dump(sources))
    lookedInDump = true
    if !databaseKeys.isEmpty { throw .moved }
  }

  private func remember(_ dump: [String: JSONValue]) {
    databaseKeys = dump.filter { $0.key.hasPrefix("db_") }
  }

  private func dump(_ sources: ConfigSources) throws(Obstacle) -> [String: JSONValue] {
    do throws(DumpFailure) { return try reader.dump(sources) } catch { throw .unusable(error.reason) }
  }

  private func obstacle(_ error: DatabaseError, _ settings: DatabaseSettings, _ sources: ConfigSources) -> Obstacle {
    let text = "database \(settings.address): \(Secrets(sources).masked(in: "\(error)"))"
    return error.isOutage ? .databaseAway(text) : .unusable(text)
  }

  private func wait(_ reason: String, _ duration: Duration) {
    if reason != lastReason { report(.waiting(reason: reason)) }
    lastReason = reason
    port.pause(duration)
  }
}
