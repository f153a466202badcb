import Core
import Database
import Glibc

/// Carries out all checks; none waits for another, so that one run shows everything that is wrong.
struct Validation {
  let reader: SourceReader
  let cronFile: String
  /// `rrd_dir` of the dump.
  private var rrdDirectory: String?

  init(reader: SourceReader, cronFile: String) {
    self.reader = reader
    self.cronFile = cronFile
  }

  /// Calls `tell` with each finding as soon as it is there.
  mutating func run(_ tell: (Check) -> Void) {
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
    tell(files.directory(resolved?.logDirectory ?? reader.base + "/logs"))
    let logDirectory = resolved?.logDirectory ?? reader.base + "/logs"
    tell(
      WrittenFiles.check(
        ScriptFilesCheck(
          base: reader.base, logDirectory: logDirectory, logFile: resolved?.logFile ?? logDirectory + "/librenms.log",
          rrdDirectory: rrdDirectory)))
    tell(schedulerCheck(resolved))
    InstanceChecks(base: reader.base).checks.forEach(tell)
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

  /// LibreNMS's own timer, cron or this service: one of them has to run its schedule.
  private func schedulerCheck(_ settings: Settings?) -> Check {
    let files = SchedulePresence.candidates(cronFile: cronFile).compactMap { path in
      FileText.read(path, limit: 1 << 20).map { (path, $0) }
    }
    let timer = SchedulePresence.timers.first { access($0, F_OK) == 0 }
    return SchedulePresence.check(runsHere: settings?.runsSchedule, timer: timer, crontabs: files)
  }

  private func cron(_ settings: Settings?) -> [Check] {
    guard let text = FileText.read(cronFile, limit: 1 << 20) else {
      let number = errno
      guard number != ENOENT else { return [.ok("cron", "there is no \(cronFile)")] }
      return [.warn("cron", "\(SystemError("read \(cronFile)", number: number))", "run this as a user that may read it")]
    }
    return CronTable.checks(text, path: cronFile, enabled: settings.flatMap(CronTable.counted))
  }
}
