import Core
import Logging

/// Whether Redis is there, as one process says it: one line each way, however many links it has, and what comes and goes
/// in numbers.
public final class RedisAvailability {
  private let log: Logger
  private var away: Set<ObjectIdentifier> = []
  private var outages: OutageLog
  private var said: Set<String> = []

  public init(log: Logger) {
    self.log = log
    outages = OutageLog("Redis", log: log)
  }

  /// To be called about every second.
  public func look(at now: MonotonicTime) { outages.look(at: now) }

  /// `before`: what was seen before it, in words that go on.
  func down(_ link: RedisLink, _ error: RedisError, before: String = "") {
    away.insert(ObjectIdentifier(link))
    outages.away("Redis away: \(error.text)\(before); waiting for it", cause: error.cause, at: link.loop.now)
  }

  func up(_ link: RedisLink, _ server: String) {
    away.remove(ObjectIdentifier(link))
    if away.isEmpty { outages.back("Redis connected: \(server)", at: link.loop.now) }
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
