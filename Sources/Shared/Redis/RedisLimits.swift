import Core

/// The deadlines of a connection. Every wait for a server has one of these.
public struct RedisLimits: Equatable, Sendable {
  /// Until a connection stands and the server has answered the greeting. The kernel repeats a lost SYN after 1 s, so less would turn one lost packet into an outage.
  public var connect = Duration.seconds(3)
  /// For an answer. A server that is silent for longer counts as gone, although its socket is open (SIGSTOP, a hanging disk): well under
  /// the 20 s that a master's lock lives, so that its node notices first.
  public var command = Duration.seconds(5)
  /// Without traffic for this long, the server is asked whether it is still there: a partition closes no socket.
  public var idle = Duration.seconds(30)
  /// For a name look-up; resolv.conf's own default is 5 s for each server and try.
  public var lookup = Duration.seconds(5)

  public init() {}

  /// `REDIS_TIMEOUT` shortens the wait for an answer, down to 1 s; it never makes it longer than the default here.
  public init(_ settings: RedisSettings) {
    command = min(command, max(.seconds(1), settings.timeout))
  }

  /// Where Sentinel decides who is master, a silent server must not be waited for: 1 s per step keeps a failover under 2 s.
  var underSentinel: RedisLimits {
    var limits = self
    limits.connect = .seconds(1)
    return limits
  }
}

/// How a server is told who we are. It holds a secret and describes itself without.
public struct RedisCredentials: Equatable, Sendable, CustomStringConvertible {
  public var user: String
  public var password: String

  public init(user: String = "", password: String = "") {
    self.user = user
    self.password = password
  }

  public var description: String { "\(user.isEmpty ? "default" : user):***" }
}
