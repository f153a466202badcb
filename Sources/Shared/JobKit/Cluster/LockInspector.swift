import Core
import Redis

/// Who holds which locks, for people who ask.
final class LockInspector {
  /// Keys that one step of a SCAN looks at: the server answers nobody else meanwhile.
  private static let scanStep = "1000"

  private let commands: ClusterClient
  /// Why the server can't be asked although it answers.
  private let fault: () -> String?
  private var link: any ClusterLink { commands.context.link }
  private var names: ClusterNames { commands.context.names }
  private var away: CoordinatorFailure { CoordinatorFailure(fault() ?? "Redis is away") }

  init(_ commands: ClusterClient, fault: @escaping () -> String?) {
    self.commands = commands
    self.fault = fault
  }

  /// `isWorking`: this node works with the server.
  func holder(of lock: String, isWorking: Bool, _ answer: @escaping (Result<LockHolder?, CoordinatorFailure>) -> Void) {
    guard isWorking else { return answer(.failure(away)) }
    let key = names.lock(lock)
    look(key) { [weak self] result in
      guard let self, case .success(let holder?) = result, let owner = LockOwner(holder.owner), owner.isOurs, let slot = owner.slot else {
        return answer(result)
      }
      // A node of ours notes what runs in its slots; a lock without a note is a hold after a run.
      let theirs = ClusterNames(type: names.type, node: owner.uuid)
      link.send(["HGET", theirs.inFlight, theirs.field(slot)]) { note in
        var holder = holder
        if case .success(let reply) = note {
          holder.isRunning = reply.text.flatMap { InFlightNote($0, slot: slot) }?.job.lock == key
        }
        answer(.success(holder))
      }
    }
  }

  func releaseHold(_ lock: String, owner: String, _ answer: @escaping (Result<Bool, CoordinatorFailure>) -> Void) {
    commands.releaseHold(names.lock(lock), owner: owner) { result in
      answer(result.mapError { CoordinatorFailure($0.text) })
    }
  }

  func locks(_ answer: @escaping (Result<(locks: [LockReport], omitted: Int), CoordinatorFailure>) -> Void) {
    guard link.isUp else { return answer(.failure(away)) }
    scan(from: "0", found: []) { [weak self] result in
      guard let self else { return }
      switch result {
      case .failure(let failure): answer(.failure(failure))
      case .success(let keys): describe(keys.sorted(), answer)
      }
    }
  }

  /// GET and PTTL.
  private func look(_ key: String, _ answer: @escaping (Result<LockHolder?, CoordinatorFailure>) -> Void) {
    var owner: Result<RedisReply, RedisError>?
    link.send(["GET", key]) { owner = $0 }
    link.send(["PTTL", key]) { left in
      switch owner {
      case .success(let reply)?:
        guard let text = reply.text else { return answer(.success(nil)) }
        // -1: it has no end, which nobody of the contract makes; -2: it ended between the two commands.
        guard case .success(let ttl) = left, let milliseconds = ttl.integer, milliseconds != -2 else { return answer(.success(nil)) }
        answer(.success(LockHolder(owner: text, remaining: milliseconds < 0 ? nil : .milliseconds(milliseconds))))
      case .failure(let error)?: answer(.failure(CoordinatorFailure(error.text)))
      case nil: answer(.failure(CoordinatorFailure("Redis is away")))
      }
    }
  }

  /// SCAN may name a key twice, so they are gathered in a set.
  private func scan(from cursor: String, found: Set<String>, _ answer: @escaping (Result<Set<String>, CoordinatorFailure>) -> Void) {
    link.send(["SCAN", cursor, "MATCH", names.lock("*"), "COUNT", Self.scanStep]) { [weak self] result in
      switch result {
      case .failure(let error): answer(.failure(CoordinatorFailure(error.text)))
      case .success(let reply):
        guard let self, let parts = reply.elements, parts.count == 2, let next = parts[0].text else {
          return answer(.failure(CoordinatorFailure("unreadable answer of SCAN")))
        }
        let all = found.union((parts[1].elements ?? []).compactMap(\.text))
        if next == "0" { answer(.success(all)) } else { scan(from: next, found: all, answer) }
      }
    }
  }

  private func describe(_ keys: [String], _ answer: @escaping (Result<(locks: [LockReport], omitted: Int), CoordinatorFailure>) -> Void) {
    let shown = keys.prefix(LockPage.limit)
    guard !shown.isEmpty else { return answer(.success(([], 0))) }
    var locks: [LockReport] = []
    var left = shown.count
    for key in shown {
      look(key) { [weak self, prefix = names.lock("").count] result in
        left -= 1
        // A key that ended meanwhile, or that is no text and so no lock, is left out.
        if case .success(let holder?) = result {
          locks.append(LockReport(name: String(key.dropFirst(prefix)), owner: holder.owner, remaining: holder.remaining))
        }
        guard left == 0 else { return }
        // A server that went away in the middle leaves a part, which would look like the whole.
        guard self?.link.isUp ?? false else { return answer(.failure(self?.away ?? CoordinatorFailure("Redis is away"))) }
        answer(.success((locks, keys.count - shown.count)))
      }
    }
  }
}
