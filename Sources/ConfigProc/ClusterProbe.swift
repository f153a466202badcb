import Core
import Logging
import Redis

/// Decides at the load of a configuration where queues and locks live: in Redis or in the children's memory.
struct ClusterProbe {
  /// Sentinels that do not answer cost time each; with three of them two dead ones still leave enough of it.
  static let limit = Duration.seconds(8)

  /// Asks the server that the settings name. Throws when it can't be asked by this build or does not answer: the reason.
  struct Unanswered: Error {
    var reason: String
  }

  /// The report with `isClustered` decided, or a refusal.
  static func decide(_ report: ResolverReport, ask: (RedisSettings) throws(Unanswered) -> Void = Self.ask) -> ResolverReport {
    guard case .resolved(var settings, let entries, var notes) = report else { return report }
    guard settings.distributed || settings.redis.isNamed else { return report }
    if case .failure(let refusal) = RedisEndpoint.choose(settings.redis) {
      return .refused(exitCode: 2, message: "\(refusal)")
    }
    do throws(Unanswered) {
      try ask(settings.redis)
      settings.isClustered = true
    } catch {
      guard !settings.distributed else {
        return .refused(
          exitCode: 2,
          message:
            "distributed_poller is on, and Redis does not answer: \(error.reason). Check REDIS_HOST and the other REDIS_ variables in "
            + "\(settings.base)/.env, or turn distributed_poller off")
      }
      notes.append(
        ConfigNote(
          level: .warning,
          text: "Redis does not answer: \(error.reason). This node works alone, with queues and locks of its own, until the next reload"))
    }
    return .resolved(settings: settings, entries: entries, notes: notes)
  }

  private static func ask(_ settings: RedisSettings) throws(Unanswered) {
    let loop: EventLoop
    do { loop = try EventLoop() } catch { throw Unanswered(reason: "\(error)") }
    let quiet = Logger(label: "redis") { _ in SwiftLogNoOpLogHandler() }
    let link = RedisLink(loop: loop, settings: settings, name: "librenms-configd", availability: RedisAvailability(log: quiet))
    link.onChange = { up in if up { loop.stop() } }
    let timer = loop.schedule(after: limit) { loop.stop() }
    link.start()
    if !link.isUp {
      do throws(SystemError) { try loop.run() } catch { throw Unanswered(reason: "\(error)") }
    }
    loop.cancel(timer)
    let (isUp, reason) = (link.isUp, link.reason)
    link.stop()
    guard isUp else { throw Unanswered(reason: reason?.text ?? "no answer within \(limit.components.seconds) s") }
  }
}
