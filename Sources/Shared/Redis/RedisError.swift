/// Why a command has no answer. Passwords never occur in it.
public struct RedisError: Error, Equatable, Sendable, CustomStringConvertible {
  public enum Kind: String, Sendable, CaseIterable {
    // Outages: the server, or its present state, not the command. The same command may work later.

    /// The connection ended, or the server was silent, with the command on its way: it may have been carried out.
    case lost
    /// There is no connection: refused, timed out, name unknown, no Sentinel knows a master, too many clients.
    case unreachable
    case loading
    case readOnly
    case masterDown
    case outOfMemory
    /// The server refuses to write because it can't save, or has too few replicas.
    case misconfigured
    /// The password or the user is not accepted.
    case unauthorized
    case clusterDown
    /// A script blocks the server.
    case busy

    // Faults of the command: the server is fine.

    case noPermission
    case noScript
    case wrongType
    /// The server is a node of a Redis Cluster, where a command's keys must lie on one node: queues and locks of the contract do not.
    case sharded
    case other
  }

  public var kind: Kind
  public var text: String

  public init(_ kind: Kind, _ text: String) {
    self.kind = kind
    self.text = text
  }

  public var description: String { text }

  /// The kind of fault, one word for all times that it happens: without addresses, ports and durations.
  public var cause: String {
    switch kind {
    case .lost, .unreachable: kind.rawValue + " " + text.filter { $0.isLetter || $0 == " " }
    default: kind.rawValue
    }
  }

  /// True when waiting may help, false when the command is at fault.
  public var isOutage: Bool {
    switch kind {
    case .noPermission, .noScript, .wrongType, .sharded, .other: false
    default: true
    }
  }
}

extension RedisError {
  /// The first word of an error line, and what it means. The words are Redis' own (src/server.c, `shared`; src/acl.c; src/script.c).
  private static let codes: [String: Kind] = [
    "LOADING": .loading, "READONLY": .readOnly, "MASTERDOWN": .masterDown, "OOM": .outOfMemory, "MISCONF": .misconfigured,
    "NOREPLICAS": .misconfigured, "NOAUTH": .unauthorized, "WRONGPASS": .unauthorized, "DENIED": .unauthorized,
    "CLUSTERDOWN": .clusterDown, "BUSY": .busy, "NOPERM": .noPermission, "NOSCRIPT": .noScript, "WRONGTYPE": .wrongType,
    "MOVED": .sharded, "ASK": .sharded, "CROSSSLOT": .sharded,
  ]

  /// From a server's error line, without the leading "-".
  public init(server line: String) {
    kind = Self.kind(of: line)
    text = Self.presentable(line)
  }

  private static func kind(of line: String) -> Kind {
    let code = line.prefix { $0 != " " }
    if let kind = codes[String(code)] { return kind }
    guard code == "ERR" else { return .other }
    // Redis 6 and 7 say so of a command within a script.
    if line.contains("The user executing the script can't") { return .noPermission }
    // Redis 8, of a command in a script.
    if line.hasPrefix("ERR ACL failure in script") { return .noPermission }
    if line.hasPrefix("ERR max number of clients") { return .unreachable }
    if line.hasPrefix("ERR invalid password") || line.hasPrefix("ERR Client sent AUTH") || line.hasPrefix("ERR AUTH ") {
      return .unauthorized
    }
    // Before Redis 7 the failure of a command in a script is in the middle, after a place: "ERR Error running script (…): @user_script:1:
    // WRONGTYPE Operation …", and where the command was not begun "@user_script: 1: -OOM command …".
    guard line.hasPrefix("ERR Error running script") || line.hasPrefix("ERR Error compiling script") else { return .other }
    let words = line.split(separator: " ")
    for (place, word) in zip(words, words.dropFirst()) where place.hasSuffix(":") {
      if let kind = codes[String(word.hasPrefix("-") ? word.dropFirst() : word)] { return kind }
    }
    return .other
  }

  /// One printable line of at most 300 characters: a server may quote what it was sent.
  private static func presentable(_ line: String) -> String {
    let clean = line.unicodeScalars.prefix(300).map { $0.value < 0x20 || $0.value == 0x7f ? " " : Character($0) }
    return String(clean)
  }

  /// The same error without these words: an old server quotes the arguments of a command that it does not know, AUTH's too.
  func hiding(_ secrets: [String]) -> RedisError {
    var error = self
    for secret in secrets where !secret.isEmpty && error.text.contains(secret) {
      error.text = text.prefix { $0 != " " } == "ERR" ? "ERR the server refuses AUTH" : "the server refuses AUTH"
    }
    return error
  }
}
