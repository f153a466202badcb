/// A value as `config --json` prints it.
public enum ConfigValue: Codable, Sendable, Equatable {
  case bool(Bool)
  case integer(Int)
  case text(String)
  case integers([Int])

  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if let value = try? container.decode(Bool.self) {
      self = .bool(value)
    } else if let value = try? container.decode(Int.self) {
      self = .integer(value)
    } else if let value = try? container.decode([Int].self) {
      self = .integers(value)
    } else {
      self = .text(try container.decode(String.self))
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .bool(let value): try container.encode(value)
    case .integer(let value): try container.encode(value)
    case .text(let value): try container.encode(value)
    case .integers(let value): try container.encode(value)
    }
  }
}

/// One resolved key: what it is and which source won. Secrets are masked already.
public struct ConfigEntry: Codable, Sendable, Equatable {
  public var key: String
  public var value: ConfigValue
  /// For people: `command line`, `poller_cluster.poller_workers`, `environment`, `.env line 12`, `config dump`, `default`.
  public var origin: String

  public init(key: String, value: ConfigValue, origin: String) {
    self.key = key
    self.value = value
    self.origin = origin
  }
}

/// Something the operator should know about the configuration: the key, the value, its origin and what was done instead.
public struct ConfigNote: Codable, Sendable, Equatable {
  public var level: LogLevel
  public var text: String

  public init(level: LogLevel, text: String) {
    self.level = level
    self.text = text
  }
}

/// What `librenms-configd resolve` writes: frames of `IPC` on its standard output, any number of `waiting`, then one of the others.
public enum ResolverReport: Codable, Sendable {
  /// Not ready yet, and why, in a few words for the status line. Sent when the reason changes.
  case waiting(reason: String)
  /// The whole configuration. `entries` is what `config` prints.
  case resolved(settings: Settings, entries: [ConfigEntry], notes: [ConfigNote])
  /// This configuration can't be used: the exit code of the contract (2 or 3) and the message.
  case refused(exitCode: Int32, message: String)
}
