import Glibc

/// Where one server listens; a host is numeric here.
public enum RedisAddress: Hashable, Sendable, CustomStringConvertible {
  case tcp(host: String, port: Int)
  case unix(path: String)

  public var description: String {
    switch self {
    case .tcp(let host, let port): RedisHost(name: host, port: port).description
    case .unix(let path): path
    }
  }
}

/// A server as it is configured: a name or a numeric address, and a port.
public struct RedisHost: Hashable, Sendable, CustomStringConvertible {
  public var name: String
  public var port: Int

  public init(name: String, port: Int) {
    self.name = name
    self.port = port
  }

  /// "host", "host:port", "[v6]:port" or a bare IPv6 address; nil when it is none of these or the port is not 1 to 65535.
  public init?(_ text: String, defaultPort: Int) {
    var name = Substring(text)
    var number: Substring?
    if text.hasPrefix("["), let end = text.firstIndex(of: "]") {
      name = text[text.index(after: text.startIndex)..<end]
      let rest = text[text.index(after: end)...]
      guard rest.isEmpty || rest.hasPrefix(":") else { return nil }
      number = rest.isEmpty ? nil : rest.dropFirst()
    } else if text.count(where: { $0 == ":" }) == 1, let colon = text.firstIndex(of: ":") {
      name = text[..<colon]
      number = text[text.index(after: colon)...]
    }
    let port = number.map { Int($0) } ?? defaultPort
    guard let port, (1...65535).contains(port), !name.isEmpty, !name.contains(where: \.isWhitespace) else { return nil }
    self.init(name: String(name), port: port)
  }

  /// Needs no look-up.
  public var isNumeric: Bool { Self.isNumeric(name) }

  static func isNumeric(_ name: String) -> Bool {
    var address = in6_addr()
    // A zone ("fe80::1%eth0") is no part of what inet_pton knows.
    let bare = String(name.prefix { $0 != "%" })
    return inet_pton(AF_INET, bare, &address) == 1 || inet_pton(AF_INET6, bare, &address) == 1
  }

  public var description: String { name.contains(":") ? "[\(name)]:\(port)" : "\(name):\(port)" }
}
