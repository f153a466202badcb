import CHiredis
import Core

/// Which of the configured ways leads to Redis: Sentinel before a socket before a host.
public enum RedisEndpoint: Equatable, Sendable, CustomStringConvertible {
  case sentinel([RedisHost], service: String)
  case unix(path: String)
  case tcp(RedisHost)

  public var description: String {
    switch self {
    case .sentinel(_, let service): "Sentinel service \(service)"
    case .unix(let path): path
    case .tcp(let host): host.description
    }
  }

  /// What follows from the settings: the way, what the operator should know, and whether TLS is used on it.
  public struct Choice: Equatable, Sendable {
    public var endpoint: RedisEndpoint
    public var tls: Bool
    public var warnings: [String] = []
  }

  /// `sun_path` of a Unix socket address, with its terminator.
  private static let longestSocketPath = 107

  /// This build's and this machine's hiredis can do TLS. Loads OpenSSL to find out, so it is asked only where TLS is configured.
  public static var hasTLS: Bool { chiredis_has_tls() != 0 }

  /// The way that the settings name, or, as the failure, the text of a refusal for the operator: setting, value, and the way out.
  public static func choose(_ settings: RedisSettings, hasTLS: @autoclosure () -> Bool = Self.hasTLS) -> Result<Choice, Refusal> {
    var warnings: [String] = []
    let endpoint: RedisEndpoint
    switch way(settings, &warnings) {
    case .success(let way): endpoint = way
    case .failure(let refusal): return .failure(refusal)
    }
    if case .unix = endpoint { return .success(Choice(endpoint: endpoint, tls: false, warnings: warnings)) }
    switch settings.scheme.lowercased() {
    case "", "tcp", "redis", "unix": return .success(Choice(endpoint: endpoint, tls: false, warnings: warnings))
    case "tls", "rediss", "ssl":
      guard hasTLS() else { return .failure(Refusal(Self.tlsRefusal(settings.scheme))) }
      return .success(Choice(endpoint: endpoint, tls: true, warnings: warnings))
    default:
      return .failure(Refusal("REDIS_SCHEME (redis_scheme) is \"\(settings.scheme)\", which is not known: use tcp or tls"))
    }
  }

  static func tlsRefusal(_ scheme: String) -> String {
    """
    REDIS_SCHEME (redis_scheme) is "\(scheme)", but this build uses hiredis \(String(cString: chiredis_version())) without TLS; \
    a password is not sent in the clear where TLS was asked for. The ways out: let a TLS tunnel such as stunnel listen on this machine \
    (client = yes, accept = 127.0.0.1:6380, connect = your-server:6379), then set REDIS_SCHEME=tcp, REDIS_HOST=127.0.0.1 and \
    REDIS_PORT=6380; or build with hiredis 1.0 or newer with its TLS part (libhiredis_ssl)
    """
  }

  private static func way(_ settings: RedisSettings, _ warnings: inout [String]) -> Result<RedisEndpoint, Refusal> {
    let entries = settings.sentinels.split(separator: ",").map { trimmed($0) }.filter { !$0.isEmpty }
    if !entries.isEmpty && !settings.sentinelService.isEmpty {
      var hosts: [RedisHost] = []
      for entry in entries {
        if let host = RedisHost(entry, defaultPort: 26379) {
          hosts.append(host)
        } else {
          warnings.append("REDIS_SENTINEL (redis_sentinel): \"\(entry)\" is not host:port and is left out; expected host:port,host:port")
        }
      }
      guard !hosts.isEmpty else {
        return .failure(Refusal("REDIS_SENTINEL (redis_sentinel) is \"\(settings.sentinels)\": expected host:port,host:port"))
      }
      return .success(.sentinel(hosts, service: settings.sentinelService))
    }
    if !entries.isEmpty || !settings.sentinelService.isEmpty {
      let (set, missing) =
        entries.isEmpty
        ? ("REDIS_SENTINEL_SERVICE (redis_sentinel_service)", "REDIS_SENTINEL (redis_sentinel)")
        : ("REDIS_SENTINEL (redis_sentinel)", "REDIS_SENTINEL_SERVICE (redis_sentinel_service)")
      warnings.append("\(set) is set, but \(missing) is not, so Sentinel is not used; set both or neither")
    }
    if !settings.socket.isEmpty {
      guard settings.socket.utf8.count <= longestSocketPath else {
        return .failure(Refusal("REDIS_SOCKET (redis_socket) is longer than \(longestSocketPath) bytes, the system's limit for sockets"))
      }
      return .success(.unix(path: settings.socket))
    }
    guard (1...65535).contains(settings.port) else {
      return .failure(Refusal("REDIS_PORT (redis_port) is \(settings.port): expected 1 to 65535"))
    }
    return .success(.tcp(RedisHost(name: settings.host, port: settings.port)))
  }

  private static func trimmed(_ text: Substring) -> String {
    String(text.drop { $0.isWhitespace }.reversed().drop { $0.isWhitespace }.reversed())
  }

  /// The settings can't be used; the text is for the operator.
  public struct Refusal: Error, Equatable, Sendable, CustomStringConvertible {
    public var description: String
    init(_ description: String) { self.description = description }
  }
}
