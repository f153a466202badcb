import Core
import Database
import Logging

/// The loop's side of a database: the questions under way, whether it is up, and what is said about that.
///
/// It tells each change between up and down once. Who carries out the questions is its backend.
public final class DatabaseClient: NodeDatabase {
  /// A server that has not answered for this long counts as gone, although the connection stands: a stopped or hanging server.
  public static let answerLimit = Duration.seconds(10)

  private struct Pending {
    var since: MonotonicTime
    var answer: (Result<any Sendable, DatabaseError>) -> Void
  }

  public private(set) var isUp: Bool?
  public var onChange: ((Bool) -> Void)?
  public private(set) var statementCount: UInt64 = 0

  private let loop: EventLoop
  private var outages: OutageLog
  private var backend: (any DatabaseBackend)?
  private var pending: [UInt64: Pending] = [:]
  private var nextNumber: UInt64 = 0
  private var silent = false

  /// `start` makes the backend, which hands its replies to `receive`, on the loop.
  public init(loop: EventLoop, log: Logger, start: (DatabaseClient) throws -> any DatabaseBackend) rethrows {
    self.loop = loop
    outages = OutageLog("the database", log: log)
    backend = try start(self)
  }

  public func ask<Question: DatabaseQuestion>(_ question: Question, _ answer: @escaping (Result<Question.Answer, DatabaseError>) -> Void) {
    let askedAt = loop.now
    submit(
      repeats: question.mayRepeat,
      { session throws(DatabaseError) in try question.answer(by: session, askedAt: askedAt) }, answer)
  }

  func submit<Value: Sendable>(
    repeats: Bool, _ run: @escaping @Sendable (any DatabaseSession) throws(DatabaseError) -> Value,
    _ answer: @escaping (Result<Value, DatabaseError>) -> Void
  ) {
    if isUp == false || silent {
      return answer(.failure(DatabaseError(kind: .unreachable, number: 0, text: "the database is away")))
    }
    nextNumber += 1
    pending[nextNumber] = Pending(since: loop.now) { result in
      switch result {
      case .success(let value):
        guard let value = value as? Value else { preconditionFailure("an answer belongs to its question") }
        answer(.success(value))
      case .failure(let error): answer(.failure(error))
      }
    }
    backend?.add(
      DatabaseRequest(number: nextNumber, mayRepeat: repeats) { session throws(DatabaseError) in try run(session) })
  }

  public func change(_ settings: DatabaseSettings) { backend?.change(settings) }

  public func look(at now: MonotonicTime) {
    outages.look(at: now)
    guard !silent, let oldest = pending.values.map(\.since).min(), now - oldest > Self.answerLimit else { return }
    silent = true
    let error = DatabaseError(kind: .lost, number: 0, text: "no answer for \(Self.answerLimit.components.seconds) s")
    let unanswered = pending.sorted { $0.key < $1.key }
    pending = [:]
    switchTo(false, "database away: \(error)", cause: error.cause)
    for (_, entry) in unanswered { entry.answer(.failure(error)) }
  }

  /// A reply of the backend, on the loop.
  public func receive(_ reply: DatabaseReply) {
    statementCount += reply.statements
    // Any sign of life ends a silence.
    let wasSilent = silent
    silent = false
    switch reply.change {
    case .up(let server): switchTo(true, "database connected: \(server)")
    case .down(let error): switchTo(false, "database away: \(error); waiting for it", cause: error.cause)
    case nil: if wasSilent { switchTo(true, "database answers again") }
    }
    if reply.number != 0, let entry = pending.removeValue(forKey: reply.number) { entry.answer(reply.result) }
  }

  private func switchTo(_ up: Bool, _ text: @autoclosure () -> String, cause: String = "") {
    let isChange = isUp != up
    isUp = up
    // What keeps it away may be another fault by now.
    if !up { outages.away(text(), cause: cause, at: loop.now) } else if isChange { outages.back(text(), at: loop.now) }
    if isChange { onChange?(up) }
  }
}
