import Core
import Logging
import Redis

/// Decides at the load of a configuration where queues and locks live: in Redis or in the children's memory.
struct ClusterProbe {
  /// Sentinels that do not answer cost time each; with three of them two dead ones still leave enough of it.
  static let limit = Duration.seconds(8)

  /// The server can't be asked by this build, does not answer, or is none that can be used.
  struct Unanswered: Error, CustomStringConvertible {
    var reason: String
    /// It answers, and can't be used for ever: a node of a Redis Cluster.
    var answers = false

    var description: String { (answers ? "Redis can't be used: " : "Redis does not answer: ") + reason }
  }

  /// The report with `isClustered` decided, or a refusal.
  static func decide(
    _ report: ResolverReport, ask: (RedisSettings) throws(Unanswered) -> RedisFacts = Self.ask
  ) -> ResolverReport {
    guard case .resolved(var settings, let entries, var notes) = report else { return report }
    guard settings.distributed || settings.redis.isNamed else { return report }
    if case .failure(let refusal) = RedisEndpoint.choose(settings.redis) {
      return .refused(exitCode: 2, message: "\(refusal)")
    }
    do throws(Unanswered) {
      let facts = try ask(settings.redis)
      settings.isClustered = true
      if let warning = facts.evictionWarning {
        notes.append(ConfigNote(level: .warning, text: "\(warning): \(RedisFacts.evictionWayOut)"))
      }
    } catch {
      guard !settings.distributed else {
        return .refused(
          exitCode: 2,
          message:
            "distributed_poller is on, and \(error). Check REDIS_HOST and the other REDIS_ variables in \(settings.base)/.env, or turn "
            + "distributed_poller off")
      }
      notes.append(
        ConfigNote(level: .warning, text: "\(error). This node works alone, with queues and locks of its own, until the next reload"))
    }
    return .resolved(settings: settings, entries: entries, notes: notes)
  }

  static func ask(_ settings: RedisSettings) throws(Unanswered) -> RedisFacts {
    let loop: EventLoop
    do { loop = try EventLoop() } catch { throw Unanswered(reason: "\(error)") }
    let quiet = Logger(label: "redis") { _ in SwiftLogNoOpLogHandler() }
    let link = RedisLink(loop: loop, settings: settings, name: "librenms-configd", availability: RedisAvailability(log: quiet))
    var facts = RedisFacts()
    link.onChange = { up in
      guard up else { return }
      RedisTrial.run(link) {
        facts = $0
        loop.stop()
      }
    }
    let timer = loop.schedule(after: limit) { loop.stop() }
    stopWhenSharded(link, loop)
    link.start()
    if !link.isUp {
      do throws(SystemError) { try loop.run() } catch { throw Unanswered(reason: "\(error)") }
    }
    loop.cancel(timer)
    let (isUp, reason) = (link.isUp, link.reason)
    link.stop()
    guard isUp else {
      throw Unanswered(reason: reason?.text ?? "no answer within \(limit.components.seconds) s", answers: reason?.kind == .sharded)
    }
    return facts
  }

  /// No use in waiting for a cluster to become none.
  private static func stopWhenSharded(_ link: RedisLink, _ loop: EventLoop) {
    loop.schedule(after: .milliseconds(50)) { [weak link] in
      guard let link else { return }
      if link.reason?.kind == .sharded { loop.stop() } else { stopWhenSharded(link, loop) }
    }
  }
}
