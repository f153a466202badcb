import Core
import Redis

/// Each step as one Lua script, which the server carries out whole or not at all.
///
/// The scripts that write are given the mark of the connection and refuse when it is not the one that the server holds (`ClusterScripts`), so
/// what arrives late, after its connection was given up, changes nothing.
final class ScriptedCommands: ClusterCommands {
  /// More members than this no type with ticks has.
  static let lastTickMember = "15"

  var mark: NodeMark
  private let context: ClusterContext
  private var names: ClusterNames { context.names }

  init(_ context: ClusterContext, mark: NodeMark) {
    self.context = context
    self.mark = mark
  }

  // MARK: The mark

  func setMark(lifetime: Duration, _ answer: @escaping Answer<MarkAnswer>) {
    let arguments = [mark.tableText, String(mark.connection), lifetime.inWholeMilliseconds]
    run(ClusterScripts.setMark, [names.alive], arguments, answer) { reply in
      .success(reply.text.map { $0.isEmpty ? .ours : .taken(by: $0) } ?? .ours)
    }
  }

  func keepMark(lifetime: Duration, _ answer: @escaping Answer<Void>) {
    runMarked(ClusterScripts.keepMark, [names.alive], [lifetime.inWholeMilliseconds], answer)
  }

  func releaseMark(_ answer: @escaping Answer<Void>) {
    run(ClusterScripts.releaseMark, [names.alive], [mark.text], answer) { _ in .success(()) }
  }

  // MARK: Jobs

  func take(_ owner: SlotOwner, groups: [Int], ttl: Duration, _ answer: @escaping Answer<Take>) {
    let arguments =
      [
        names.field(owner.slot), owner.prefix, owner.suffix, ttl.inWholeMilliseconds, context.lockPrefix,
        context.usesGroupLocks ? "group" : "payload", names.queuePrefix,
      ] + groups.map(String.init)
    runMarked(ClusterScripts.take, [names.inFlight] + groups.map(names.queue), arguments, answer) { [context] in
      Self.read($0, owner, context)
    }
  }

  func takeTick(_ owner: SlotOwner, group: Int, ttl: Duration, _ answer: @escaping Answer<Take>) {
    let arguments = [
      names.field(owner.slot), owner.prefix, owner.suffix, ttl.inWholeMilliseconds, context.lockPrefix, String(group), Self.lastTickMember,
      names.queuePrefix,
    ]
    runMarked(ClusterScripts.takeTick, [names.inFlight, names.queue(group)], arguments, answer) { [context] in
      Self.read($0, owner, context)
    }
  }

  private static func read(_ reply: RedisReply, _ owner: SlotOwner, _ context: ClusterContext) -> Result<Take, RedisError> {
    let parts = reply.elements ?? []
    if parts.count > 3, let lock = parts.last?.text, !lock.isEmpty { context.warnBroughtBack(lock, owner.slot) }
    switch (parts.first?.integer, parts.count) {
    case (1, 7):
      guard let payload = parts[1].text, let score = parts[2].text.flatMap(Double.init), let group = parts[3].integer,
        let waiting = parts[4].integer
      else { break }
      let item = QueueItem(payload: payload, group: Int(group), score: score)
      return .success(.job(context.taken(item, owner), waiting: Int(waiting), oldest: parts[5].text.flatMap(Double.init)))
    case (0, 4):
      guard let waiting = parts[1].integer else { break }
      return .success(.empty(waiting: Int(waiting), oldest: parts[2].text.flatMap(Double.init)))
    default: break
    }
    return .failure(RedisError(.other, "unreadable answer of take"))
  }

  func finish(_ job: TakenJob, hold: Duration?, _ answer: @escaping Answer<Void>) {
    let arguments = [names.field(job.slot), job.owner, hold?.inWholeMilliseconds ?? "0"]
    runMarked(ClusterScripts.finish, [names.inFlight, job.lock], arguments, answer)
  }

  func putBack(_ job: TakenJob, _ answer: @escaping Answer<Void>) {
    let arguments = [names.field(job.slot), job.owner, job.item.scoreText, job.item.payload]
    runMarked(ClusterScripts.putBack, [names.inFlight, job.lock, names.queue(job.item.group)], arguments, answer)
  }

  // MARK: Locks

  func renew(_ jobs: [TakenJob], ttl: Duration, _ answer: @escaping Answer<[Acquisition]>) {
    runMarked(ClusterScripts.renew, jobs.map(\.lock), [ttl.inWholeMilliseconds] + jobs.map(\.owner), answer) { reply in
      .success((reply.elements ?? []).map { $0.integer == 1 ? .ours : .held(by: $0.text ?? "another") })
    }
  }

  func acquire(_ lock: String, owner: String, ttl: Duration, _ answer: @escaping Answer<Acquisition>) {
    runMarked(ClusterScripts.own, [lock], [owner, ttl.inWholeMilliseconds], answer) { reply in
      .success(reply.integer == 1 ? .ours : .held(by: reply.text ?? "another node"))
    }
  }

  func lockAgain(_ running: TakenJob, insteadOf duplicate: TakenJob, ttl: Duration, keepsMember: Bool, _ answer: @escaping Answer<Void>) {
    let item = duplicate.item
    let arguments = [
      names.field(duplicate.slot), duplicate.owner, running.owner, ttl.inWholeMilliseconds, keepsMember ? item.scoreText : "", item.payload,
    ]
    runMarked(ClusterScripts.lockAgain, [names.inFlight, running.lock, names.queue(item.group)], arguments, answer)
  }

  func releaseHold(_ lock: String, owner: String, _ answer: @escaping Answer<Bool>) {
    runMarked(ClusterScripts.releaseHold, [names.inFlight, lock], [owner], answer) { .success($0.integer == 1) }
  }

  // MARK: The lead

  func claim(owner: String, ttl: Duration, markLifetime: Duration, _ answer: @escaping Answer<Lead>) {
    let keys = [ClusterNames.masterLock, ClusterNames.memory, names.alive]
    let arguments = [owner, ttl.inWholeMilliseconds, markLifetime.inWholeMilliseconds]
    runMarked(ClusterScripts.claim, keys, arguments, answer) { reply in
      let texts = (reply.elements ?? []).map { $0.text.flatMap { $0.isEmpty ? nil : $0 } }
      return .success(Lead(owner: texts.first ?? nil, memory: texts.dropFirst().first ?? nil))
    }
  }

  func abdicate(owner: String, _ answer: @escaping Answer<Void>) {
    runMarked(ClusterScripts.abdicate, [ClusterNames.masterLock], [owner], answer)
  }

  // MARK: Queues

  func enqueue(
    _ items: [QueueItem], respectingLocks: Bool, leader: String, tick: TickRun?, isLast: Bool, _ answer: @escaping Answer<Enqueued>
  ) {
    var arguments = [
      leader, respectingLocks ? "1" : "0", String(tick?.boundary ?? 0),
      tick?.memoryLifetime ?? Duration.seconds(60).inWholeMilliseconds,
      tick?.known.map { String($0) } ?? "", isLast ? "1" : "0",
    ]
    for item in items { arguments += [names.queue(item.group), item.scoreText, item.payload, context.lock(of: item)] }
    let keys = [ClusterNames.masterLock] + (tick.map { [names.tick($0.name)] } ?? [])
    runMarked(ClusterScripts.enqueue, keys, arguments, answer) { reply in
      switch reply.integer ?? 0 {
      case -1: .success(.unseated)
      case -2: .success(.alreadyTicked)
      case let added: .success(.added(Int(added)))
      }
    }
  }

  func waiting(_ groups: [Int], _ answer: @escaping Answer<Waiting>) {
    run(ClusterScripts.waiting, groups.map(names.queue), [], answer) { reply in
      let parts = reply.elements ?? []
      return .success(
        Waiting(members: parts.first?.integer.map { Int($0) } ?? 0, lowest: parts.dropFirst().first?.text.flatMap(Double.init)))
    }
  }

  // MARK: Running scripts

  private func runMarked(_ script: RedisScript, _ keys: [String], _ arguments: [String], _ answer: @escaping Answer<Void>) {
    runMarked(script, keys, arguments, answer) { _ in .success(()) }
  }

  private func runMarked<Value>(
    _ script: RedisScript, _ keys: [String], _ arguments: [String], _ answer: @escaping Answer<Value>,
    _ read: @escaping (RedisReply) -> Result<Value, RedisError>
  ) {
    run(script, [names.alive] + keys, [mark.text] + arguments, answer, read)
  }

  private func run<Value>(
    _ script: RedisScript, _ keys: [String], _ arguments: [String], _ answer: @escaping Answer<Value>,
    _ read: @escaping (RedisReply) -> Result<Value, RedisError>
  ) {
    context.link.eval(script, keys: keys, arguments: arguments) { answer($0.flatMap(read)) }
  }
}
