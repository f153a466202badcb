import Core
import Database
import Glibc

/// Carries out all checks; none waits for another, so that one run shows everything that is wrong.
///
/// Where root asks, the rest of the process looks, and runs LibreNMS's commands, as the user of the service.
struct Validation {
  let reader: SourceReader
  let cronFile: String
  /// What only root may see.
  private let instances: InstanceChecks
  private let schedule: SchedulePresence
  private let crontab: Result<String, SystemError>
  /// `rrd_dir` of the dump.
  private var rrdDirectory: String?

  init(reader: SourceReader, cronFile: String) {
    self.reader = reader
    self.cronFile = cronFile
    instances = InstanceChecks(base: reader.base)
    schedule = SchedulePresence.look(cronFile: cronFile)
    crontab = FileText.read(cronFile, limit: 1 << 20).map { .success($0) } ?? .failure(SystemError("read \(cronFile)"))
  }

  /// Calls `tell` with each finding as soon as it is there.
  mutating func run(_ tell: (Check) -> Void) {
    let user = instances.serviceUser
    let asUser = user.check(failure: user.become())
    tell(asUser)
    let tree = reader.tree
    let files = FileChecks(base: reader.base, scripts: tree.scripts)
    var resolved: Settings?
    do throws(Refusal) {
      let sources = try reader.files()
      tell(.ok(".env", "\(reader.base)/.env is readable and there is a NODE_ID"))
      tell(files.secrecy)
      resolved = database(sources, tell)
    } catch {
      tell(.fail(".env", error.message, "correct it; no check that needs the database was made"))
    }
    files.programs.forEach(tell)
    if let resolved { RedisChecks.checks(resolved).forEach(tell) }
    let logDirectory = resolved?.logDirectory ?? reader.base + "/logs"
    tell(files.directory(logDirectory))
    // Anybody else's view is not the scripts'.
    if asUser.outcome == .ok {
      let written = ScriptFilesCheck(
        base: reader.base, logDirectory: logDirectory, logFile: resolved?.logFile ?? logDirectory + "/librenms.log",
        rrdDirectory: rrdDirectory)
      tell(WrittenFiles.check(written.look(), user: user.name))
    }
    tell(schedule.check(runsHere: resolved?.runsSchedule))
    instances.checks.forEach(tell)
    cron(resolved).forEach(tell)
  }

  /// Everything that needs the database; nil when there is no configuration at the end.
  private mutating func database(_ sources: ConfigSources, _ tell: (Check) -> Void) -> Settings? {
    do throws(Refusal) {
      var sources = sources
      let settings = try reader.databaseSettings(sources)
      let connection = SourceReader.connection(settings)
      do throws(DatabaseError) { try connection.connect() } catch {
        var masked = error
        masked.text = Secrets(sources).masked(in: error.text)
        tell(DatabaseChecks.unreachable(masked, settings))
        return nil
      }
      tell(.ok("database", "\(settings.address) answers (\(connection.serverVersion ?? "unknown version"))"))
      DatabaseChecks(connection: connection, phpOffset: phpOffset()).checks().forEach(tell)
      do throws(DumpFailure) { sources.dump = try reader.dump(sources) } catch {
        tell(.fail("configuration", error.reason, "run `php lnms config:get --dump` in \(reader.base) as the user of the service"))
        return nil
      }
      if case .string(let path) = sources.dump["rrd_dir"], !path.isEmpty { rrdDirectory = reader.base.resolving(path) }
      do throws(DatabaseError) { sources.row = try reader.row(connection, sources) } catch {
        // What is wrong with the table has been said already.
        return nil
      }
      let differing = DumpAgreement.disagreements(
        rows: (try? reader.rows(connection)) ?? [], dump: sources.dump, configurationFile: reader.tree.configurationFile)
      if !differing.isEmpty {
        tell(.warn("configuration", DumpAgreement.complaint(differing), "`lnms config:clear`, unless config.php means it so"))
      }
      var resolver = ConfigResolver(sources)
      let resolved = try resolver.resolve()
      let wayOut = "correct the value, or remove it"
      for note in resolver.notes { tell(.warn("configuration", note.text, wayOut)) }
      if resolver.notes.isEmpty { tell(.ok("configuration", "every value can be used")) }
      return resolved
    } catch {
      tell(.fail("configuration", error.message, "correct the value"))
      return nil
    }
  }

  /// PHP's offset from UTC; nil when it can't be asked.
  private func phpOffset() -> Int? {
    let run = reader.script(["php", "-r", "echo date('Z');"], limit: .seconds(10)).run()
    guard run.end == .ended(.exited(0)) else { return nil }
    return Int(String(decoding: run.output, as: UTF8.self).trimmed)
  }

  private func cron(_ settings: Settings?) -> [Check] {
    switch crontab {
    case .success(let text): CronTable.checks(text, path: cronFile, enabled: settings.flatMap(CronTable.counted))
    case .failure(let error) where error.number == ENOENT: [.ok("cron", "there is no \(cronFile)")]
    case .failure(let error): [.warn("cron", "\(error)", "run this as a user that may read it")]
    }
  }
}
