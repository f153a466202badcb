import Core

/// What an operator asks and only a child can answer, since it needs the database or Redis.
extension Supervisor {
  // MARK: Work on demand

  func enqueue(_ type: TaskType, _ devices: [Int64], _ answer: @escaping (OperatorReply) -> Void) {
    guard !devices.isEmpty, devices.count <= OperatorRequest.deviceLimit else {
      return answer(OperatorReply(ok: false, text: "between 1 and \(OperatorRequest.deviceLimit) devices can be asked for at once"))
    }
    guard let child = children.first(where: { $0.type == type }) else {
      return answer(OperatorReply(ok: false, text: "there is no child for \(type.rawValue)"))
    }
    if let why = whyNot(child) { return answer(OperatorReply(ok: false, text: why)) }
    log.info("an operator asks for \(type.rawValue) of \(devices.map(String.init).joined(separator: ", "))")
    child.ask({ .enqueue(number: $0, payloads: devices.map(String.init)) }) { result in
      switch result {
      case .failure(let failure): answer(OperatorReply(ok: false, text: Self.describe(failure, type)))
      case .success(.locks): answer(OperatorReply(ok: false, text: "the \(type.rawValue) child answered another question"))
      case .success(.enqueued(let results)):
        var reply = OperatorReply(ok: results.count == devices.count && results.allSatisfy(\.isUnderWay), text: "\(results.count) answers")
        reply.jobs = results
        answer(reply)
      }
    }
  }

  /// Why this child can't be asked; nil = it can.
  private func whyNot(_ child: Child) -> String? {
    let type = child.type.rawValue
    if stopping != nil { return "the service is stopping; in a cluster, ask on another node" }
    guard let settings else { return "the service waits for \(waitingReason ?? "its configuration")" }
    if !child.machine.want {
      return "\(type) is disabled on this node, which works alone: set service_\(type)_enabled to true, or run the script by hand"
    }
    guard child.machine.state == .running else { return "the \(type) child is \(child.machine.state.rawValue); try again in a moment" }
    if !settings.isClustered, child.heartbeat.map({ $0.slots == 0 }) ?? false { return "\(type) has no workers on this node" }
    return nil
  }

  private static func describe(_ failure: ChildQuestions.Failure, _ type: TaskType) -> String {
    switch failure {
    case .ended: "the \(type.rawValue) child ended before it answered; try again in a moment"
    case .silent(let limit): "the \(type.rawValue) child did not answer within \(StatusText.age(limit)); 'status' tells more"
    }
  }

  // MARK: Locks

  /// In a cluster one child sees everybody's locks; on a node alone each has its own.
  func listLocks(_ answer: @escaping (OperatorReply) -> Void) {
    guard let settings else {
      return answer(OperatorReply(ok: false, text: "the service waits for \(waitingReason ?? "its configuration")"))
    }
    let running = children.filter { $0.machine.state == .running }
    let asked = settings.isClustered ? Array(running.prefix(1)) : running
    guard !asked.isEmpty else { return answer(OperatorReply(ok: false, text: "no child runs that could be asked; 'status' tells more")) }
    var locks: [LockReport] = []
    var omitted = 0
    var failures: [String] = []
    var left = asked.count
    for child in asked {
      child.ask({ .listLocks(number: $0) }) { [weak self] result in
        guard let self else { return }
        switch result {
        case .failure(let failure): failures.append(Self.describe(failure, child.type))
        case .success(.enqueued): failures.append("the \(child.type.rawValue) child answered another question")
        case .success(.locks(let page)):
          locks += page.locks
          omitted += page.omitted
          if let failure = page.failure { failures.append("\(child.type.rawValue): \(StatusText.clip(failure))") }
        }
        left -= 1
        guard left == 0 else { return }
        answer(reply(locks, omitted, failures, settings))
      }
    }
  }

  private func reply(_ locks: [LockReport], _ omitted: Int, _ failures: [String], _ settings: Settings) -> OperatorReply {
    let now = loop.now
    let own = children.flatMap { tables.running($0.type) }.map { job in
      LockList.OwnJob(lock: job.record.lock, owner: job.record.owner, age: now - job.record.startedAt)
    }
    let text = failures.isEmpty ? "\(locks.count) locks" : failures.joined(separator: "; ")
    var reply = OperatorReply(ok: failures.isEmpty, text: text)
    reply.locks = LockList(locks, omitted: omitted, own: own) { LockLifetime.constant(lock: $0, settings) }
    return reply
  }
}
