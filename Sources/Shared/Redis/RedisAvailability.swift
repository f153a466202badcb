import Logging

/// Whether Redis is there, as one process says it: one line each way, however many links it has.
public final class RedisAvailability {
  private let log: Logger
  private var away: Set<ObjectIdentifier> = []
  private var wasUp = false
  private var said: Set<String> = []

  public init(log: Logger) { self.log = log }

  func down(_ link: RedisLink, _ reason: String) {
    let first = away.isEmpty
    away.insert(ObjectIdentifier(link))
    if first { log.error("Redis away: \(reason); waiting for it") }
  }

  func up(_ link: RedisLink, _ server: String) {
    let wasAway = away.remove(ObjectIdentifier(link)) != nil
    if away.isEmpty && (wasAway || !wasUp) { log.info("Redis connected: \(server)") }
    wasUp = true
  }

  /// A link that is given up says nothing any more.
  func forget(_ link: RedisLink) { away.remove(ObjectIdentifier(link)) }

  /// Once per process, whatever happens in between.
  func warnOnce(_ text: String) {
    if said.insert(text).inserted { log.warning("\(text)") }
  }

  func noteOnce(_ text: String) {
    if said.insert(text).inserted { log.info("\(text)") }
  }
}
