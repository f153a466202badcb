import Core
import Logging

/// Keeps a child's files where a successor looks for them: they are made anew when somebody has removed them, or the whole runtime directory.
///
/// The directory itself is the supervisor's to make. Until it is there the child works on with what it has mapped; a successor would know nothing of
/// its scripts, so that is said.
final class TableKeeper {
  /// A look costs two system calls.
  private static let interval = Duration.seconds(1)
  /// The supervisor has made the directory by then, or can't.
  private static let patience = Duration.seconds(5)

  private let log: Logger
  private var engine: JobEngine?
  private var lookedAt: MonotonicTime?
  private var lostAt: MonotonicTime?
  private var isSaid = false
  /// Why there is no file; nil: there is one.
  private(set) var failure: String?

  init(log: Logger) {
    self.log = log
  }

  /// From now on this engine's files are to be in this directory.
  func keep(_ engine: JobEngine, in directory: String) {
    self.engine = engine
    engine.host.directory = directory
    lookedAt = nil
  }

  /// The child has come up without a file.
  func startedWithout(_ reason: SystemError) {
    say("\(reason)")
  }

  /// To be called on the loop, between two starts of scripts.
  func turn(at now: MonotonicTime) {
    guard let engine, lookedAt.map({ now - $0 >= Self.interval }) ?? true else { return }
    lookedAt = now
    keepTable(engine, now)
    if failure == nil { keepCooldowns(engine) }
  }

  private func keepTable(_ engine: JobEngine, _ now: MonotonicTime) {
    if engine.host.isInPlace(engine.table) {
      lostAt = nil
      return
    }
    let lost = lostAt ?? now
    lostAt = lost
    let was = engine.table.isPersistent
    do throws(JobTable.Failure) {
      try engine.host.putInPlace(engine.table)
      lostAt = nil
      failure = nil
      if was { log.warning("the job table was removed and is made anew in \(engine.host.directory), with \(engine.busy) jobs") }
      if isSaid { log.notice("there is a job table in \(engine.host.directory) again: scripts can be adopted after a crash") }
      isSaid = false
    } catch {
      if was, now - lost < Self.patience { return }
      say("\(error)")
    }
  }

  private func say(_ reason: String) {
    failure = reason
    guard !isSaid else { return }
    isSaid = true
    log.error("\(reason): running without a job table, scripts can't be adopted after a crash; it is tried again until it works")
  }

  private func keepCooldowns(_ engine: JobEngine) {
    if let cooldowns = engine.cooldowns, engine.host.isInPlace(cooldowns) { return }
    guard let file = try? engine.host.openCooldowns(fresh: true) else { return }
    for (id, cooldown) in engine.cooldowns?.cooldowns ?? [:] { file.set(id, cooldown) }
    engine.cooldowns = file
  }
}
