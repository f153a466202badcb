import Core
import Redis

/// What `validate` says of Redis, where this node uses one.
enum RedisChecks {
  private static let subject = "redis"
  private static let place = "check REDIS_HOST and the other REDIS_ variables in .env"

  static func checks(_ settings: Settings, ask: (RedisSettings) throws(ClusterProbe.Unanswered) -> RedisFacts = ClusterProbe.ask) -> [Check]
  {
    guard settings.distributed || settings.redis.isNamed else { return [] }
    if case .failure(let refusal) = RedisEndpoint.choose(settings.redis) { return [.fail(subject, "\(refusal)", place)] }
    do throws(ClusterProbe.Unanswered) {
      return found(try ask(settings.redis))
    } catch {
      let text = "\(error)"
      return [
        settings.distributed
          ? .fail(subject, "\(text); with distributed_poller on the service does not start", place)
          : .warn(subject, "\(text); this node works alone, with queues and locks of its own", place)
      ]
    }
  }

  private static func found(_ facts: RedisFacts) -> [Check] {
    var checks: [Check] = [.ok(subject, "\(facts.server.isEmpty ? "the server" : facts.server) answers")]
    if !facts.refused.isEmpty {
      checks.append(
        .fail(
          subject, "refuses what the work needs: \(facts.refused.joined(separator: "; "))",
          "allow these commands for the keys librenms.*, and no proxy or rename-command in their way"))
    }
    if let why = facts.scriptsRefused {
      checks.append(
        .warn(
          subject, "refuses scripts (\(why)): plain commands are used, which protect less", "allow EVAL and EVALSHA for the keys librenms.*"
        ))
    }
    if let warning = facts.evictionWarning { checks.append(.warn(subject, warning, RedisFacts.evictionWayOut)) }
    return checks
  }
}
