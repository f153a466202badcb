import Core
import Redis

extension RedisError {
  /// A script of ours refused: it came late, or another service works under this node's name now.
  static let staleWord = "STALE"

  var isStale: Bool { kind == .other && text.hasPrefix(Self.staleWord) }
}

/// The mark of this node in Redis. Python nodes know nothing of it.
extension ClusterCommands {
  /// Sets the mark unless another table's stands there.
  func setMark(lifetime: Duration, _ answer: @escaping (Result<MarkAnswer, RedisError>) -> Void) {
    let mark = self.mark
    let arguments = [mark.tableText, String(mark.connection), milliseconds(lifetime)]
    let done: Done = { result in
      answer(result.map { reply in reply.text.map { $0.isEmpty ? .ours : .taken(by: $0) } ?? .ours })
    }
    evalUnmarked(ClusterScripts.setMark, [names.alive], arguments, done) { [weak self] in
      self?.plainSetMark(mark, lifetime, answer)
    }
  }

  /// Two commands, so two that begin within the same millisecond may both believe in it until the next renewal.
  private func plainSetMark(_ mark: NodeMark, _ lifetime: Duration, _ answer: @escaping (Result<MarkAnswer, RedisError>) -> Void) {
    var refusal: RedisError?
    link.send(["SET", names.alive, mark.text, "PX", milliseconds(lifetime), "NX"]) { if case .failure(let error) = $0 { refusal = error } }
    link.send(["GET", names.alive]) { [weak self] result in
      guard let self else { return }
      switch result {
      case .failure(let error): answer(.failure(error))
      case .success(let reply):
        guard let found = reply.text, found != mark.text else { return answer(refusal.map { .failure($0) } ?? .success(.ours)) }
        guard found.hasPrefix(mark.tableText + "/") else { return answer(.success(.taken(by: found))) }
        link.send(["SET", names.alive, mark.text, "PX", milliseconds(lifetime), "XX"]) { answer($0.map { _ in .ours }) }
      }
    }
  }

  /// Lets the mark live on; fails as stale when it is not ours any more.
  func keepMark(lifetime: Duration, _ done: @escaping Done) {
    let mark = self.mark
    eval(ClusterScripts.keepMark, [names.alive], [milliseconds(lifetime)], done) { [weak self] in
      guard let self else { return }
      link.send(["GET", names.alive]) { [weak self] result in
        guard let self, case .success(let reply) = result else { return done(result) }
        guard reply.text == mark.text else { return noteStale(done) }
        link.send(["PEXPIRE", names.alive, milliseconds(lifetime)], done)
      }
    }
  }

  /// The service stops: whoever waits for the name need not wait for its end.
  func releaseMark(_ done: @escaping Done) {
    let mark = self.mark
    evalUnmarked(ClusterScripts.releaseMark, [names.alive], [mark.text], done) { [weak self] in
      self?.link.send(["GET", self?.names.alive ?? ""]) { [weak self] result in
        guard let self, case .success(let reply) = result, reply.text == mark.text else { return done(result) }
        link.send(["DEL", names.alive], done)
      }
    }
  }

  private func noteStale(_ done: Done) {
    done(.failure(RedisError(.other, "\(RedisError.staleWord) the mark in Redis is another one")))
    onStale?()
  }
}
