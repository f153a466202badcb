/// What a new connection says before it is used, and what the answers mean.
struct GreetingPlan {
  enum Step: Equatable {
    case authenticate, select, name, ping
  }

  private(set) var steps: [(step: Step, command: [String])] = []
  private let password: String

  /// `database` 0 is every server's default; Sentinels have no databases and refuse SELECT.
  init(user: String, password: String, database: Int, name: String) {
    self.password = password
    if !password.isEmpty {
      steps.append((.authenticate, user.isEmpty ? ["AUTH", password] : ["AUTH", user, password]))
    }
    if database != 0 { steps.append((.select, ["SELECT", String(database)])) }
    // Names with spaces or control characters are refused by the server.
    let printable = String(name.unicodeScalars.map { $0.value > 0x20 && $0.value < 0x7f ? Character($0) : "-" })
    if !printable.isEmpty { steps.append((.name, ["CLIENT", "SETNAME", printable])) }
    // The one that tells a server that still loads, or that lost its master.
    steps.append((.ping, ["PING"]))
  }

  /// Why the connection can't be used after this answer; nil = go on.
  func judge(_ step: Step, _ answer: Result<RedisReply, RedisError>) -> RedisError? {
    guard case .failure(let error) = answer else { return nil }
    switch step {
    case .authenticate:
      if error.isOutage { return error.hiding([password]) }
      return RedisError(.unauthorized, error.hiding([password]).text)
    case .select:
      return error.isOutage ? error : RedisError(.unauthorized, "REDIS_DB: \(error.text)")
    case .name, .ping:
      // An ACL may forbid either; the server is there all the same.
      return error.isOutage ? error : nil
    }
  }
}
