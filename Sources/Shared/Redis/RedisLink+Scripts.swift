extension RedisLink {
  /// Runs a script: in full the first time on a connection, which loads it, then by its name. A server that forgot it gets it again.
  ///
  /// A server that forgot a script answers what was sent after it first. `noPermission` with `scriptsForbidden` means that the ACL refuses
  /// scripts as such; said once per process.
  public func eval(_ script: RedisScript, keys: [String], arguments: [RedisArgument] = [], answer: @escaping Answer) {
    let rest = [RedisArgument(keys.count)] + keys.map { RedisArgument($0) } + arguments
    if loadedScripts.insert(script.sha).inserted { return evalInFull(script, rest, answer) }
    send(["EVALSHA", RedisArgument(script.sha)] + rest) { [weak self] result in
      guard let self, case .failure(let error) = result else { return answer(result) }
      if error.kind == .noScript { return evalInFull(script, rest, answer) }
      noteRefusal(error)
      answer(result)
    }
  }

  private func evalInFull(_ script: RedisScript, _ rest: [RedisArgument], _ answer: @escaping Answer) {
    send(["EVAL", RedisArgument(script.source)] + rest) { [weak self] result in
      if case .failure(let error) = result {
        self?.loadedScripts.remove(script.sha)
        self?.noteRefusal(error)
      }
      answer(result)
    }
  }

  private func noteRefusal(_ error: RedisError) {
    guard error.refusesScripts, !scriptsForbidden else { return }
    scriptsForbidden = true
    availability.warnOnce(
      "Redis refuses scripts to this user (\(error.text)); plain commands are used. To allow them: ACL SETUSER <user> +eval +evalsha")
  }
}

extension RedisError {
  /// It is EVAL or EVALSHA that may not be run, not a command within the script: the server quotes the name of the command.
  var refusesScripts: Bool {
    kind == .noPermission && (text.contains("'eval'") || text.contains("'evalsha'"))
  }
}
