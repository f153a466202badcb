extension RedisLink {
  /// Runs a script: in full the first time on a connection, which loads it, then by its name. A server that forgot it gets it again.
  ///
  /// A server that forgot a script answers what was sent after it first. A failure with `scriptsForbidden` means that scripts as such
  /// are refused; said once per process.
  public func eval(_ script: RedisScript, keys: [String], arguments: [RedisArgument] = [], answer: @escaping Answer) {
    var rest: [RedisArgument] = []
    rest.reserveCapacity(1 + keys.count + arguments.count)
    rest.append(RedisArgument(keys.count))
    for key in keys { rest.append(RedisArgument(key)) }
    rest += arguments
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
      """
      Redis refuses scripts (\(error.text)); plain commands are used, which can't tell what comes late. To allow scripts: ACL SETUSER <user> \
      +eval +evalsha, no rename-command for EVAL and EVALSHA, and no proxy that does not know them
      """)
  }
}

extension RedisError {
  /// Scripts are not to be had here, whatever the words for it: NOPERM, a command that was renamed away, a proxy that knows no EVAL, an engine
  /// that does not run ours. Plain commands may do better, and do no harm where they don't.
  ///
  /// Not where the script was run and a command in it met a key of another type, a missing right or a refusal of the script's own.
  var refusesScripts: Bool {
    switch kind {
    case .noPermission: !isWithinScript
    case .other: !text.hasPrefix("STALE")
    default: false
    }
  }

  /// Redis 7 adds the place to the text, older ones begin with it.
  private var isWithinScript: Bool { text.contains("@user_script") || text.hasPrefix("ERR Error running script") }
}
