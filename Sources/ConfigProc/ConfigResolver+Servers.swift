import Core

extension ConfigResolver {
  mutating func redis() -> RedisSettings {
    func from(_ name: String, _ key: String) -> [Candidate] { sources.variable(name) + sources.dump(key, for: name) }
    var redis = RedisSettings()
    let host = choose("REDIS_HOST", from("REDIS_HOST", "redis_host"), .text, default: redis.host)
    enter("REDIS_HOST", .text(host.value), host.origin)
    redis.host = host.value
    redis.port = integer("REDIS_PORT", from("REDIS_PORT", "redis_port"), .port, default: redis.port)
    redis.database = integer("REDIS_DB", from("REDIS_DB", "redis_db"), .integer(0...Int(Int32.max)), default: redis.database)
    redis.user = text("REDIS_USERNAME", from("REDIS_USERNAME", "redis_user"), default: "")
    redis.password = secret("REDIS_PASSWORD", from("REDIS_PASSWORD", "redis_pass"))
    // `unix` is what Laravel's client wants beside a socket path; the path alone decides here. Whether `tls` can be had is decided by who connects.
    redis.scheme = text(
      "REDIS_SCHEME", from("REDIS_SCHEME", "redis_scheme"), .oneOf(["tcp", "tls", "unix"]), default: redis.scheme)
    redis.socket = text("REDIS_SOCKET", from("REDIS_SOCKET", "redis_socket"), default: "")
    redis.sentinels = text("REDIS_SENTINEL", from("REDIS_SENTINEL", "redis_sentinel"), .trimmedText, default: "")
    redis.sentinelService = text(
      "REDIS_SENTINEL_SERVICE", from("REDIS_SENTINEL_SERVICE", "redis_sentinel_service"), .trimmedText, default: "")
    redis.sentinelUser = text("REDIS_SENTINEL_USERNAME", from("REDIS_SENTINEL_USERNAME", "redis_sentinel_user"), default: "")
    redis.sentinelPassword = secret("REDIS_SENTINEL_PASSWORD", from("REDIS_SENTINEL_PASSWORD", "redis_sentinel_pass"))
    let alerting = "service_alerting_frequency"
    redis.timeout = .seconds(
      integer(
        "REDIS_TIMEOUT", sources.variable("REDIS_TIMEOUT") + sources.dump(alerting, for: "REDIS_TIMEOUT"), .period, default: 60))
    if redis.sentinels.isEmpty != redis.sentinelService.isEmpty {
      let (named, absent) =
        redis.sentinels.isEmpty ? ("REDIS_SENTINEL_SERVICE", "REDIS_SENTINEL") : ("REDIS_SENTINEL", "REDIS_SENTINEL_SERVICE")
      note(.warning, "\(named) is set without \(absent): Sentinel needs both, REDIS_HOST \"\(redis.host)\" is used")
    }
    redis.isNamed = !host.isDefault || !redis.socket.isEmpty || (!redis.sentinels.isEmpty && !redis.sentinelService.isEmpty)
    return redis
  }

  /// Is any way to the database named outside of the dump?
  static func namesDatabase(_ sources: ConfigSources) -> Bool {
    ["DB_HOST", "DB_PORT", "DB_SOCKET", "DB_DATABASE", "DB_USERNAME", "DB_PASSWORD"].contains { name in
      sources.variable(name).contains { !$0.value.isMissing }
    }
  }

  mutating func database() throws(Refusal) -> DatabaseSettings {
    func from(_ name: String, _ key: String) -> [Candidate] { sources.variable(name) + sources.dump(key, for: name) }
    var database = DatabaseSettings()
    database.host = text("DB_HOST", from("DB_HOST", "db_host"), default: database.host)
    let port = choose("DB_PORT", from("DB_PORT", "db_port"), .integer(0...65_535), default: 0)
    database.port = port.value == 0 ? 3306 : port.value
    enter("DB_PORT", .integer(database.port), port.origin)
    database.socket = text("DB_SOCKET", from("DB_SOCKET", "db_socket"), default: "")
    database.name = text("DB_DATABASE", from("DB_DATABASE", "db_name"), default: database.name)
    database.user = text("DB_USERNAME", from("DB_USERNAME", "db_user"), default: database.user)
    database.password = secret("DB_PASSWORD", from("DB_PASSWORD", "db_pass"))
    let modes = from("DB_SSLMODE", "db_sslmode").filter { !$0.value.isMissing }
    if let candidate = modes.first {
      guard case .good(let word) = ValueRule.oneOf(["disabled", "verify_ca", "verify_identity"]).judge(candidate.value),
        let mode = DatabaseTLS(rawValue: word)
      else {
        // Going on without TLS where somebody asked for some of it would send the password in the clear.
        throw Refusal(
          exitCode: 2,
          message: "DB_SSLMODE: \(candidate.value.shown) from \(candidate.origin) is none of disabled, verify_ca, verify_identity")
      }
      database.tls = mode
    }
    enter("DB_SSLMODE", .text(database.tls.rawValue), modes.first?.origin ?? "default")
    database.certificateAuthority = text(
      "MYSQL_ATTR_SSL_CA", from("MYSQL_ATTR_SSL_CA", "db_ssl_ca"), default: database.certificateAuthority)
    return database
  }
}
