import Core
import Database
import Logging

/// The one thread of a child that may wait for the database. Work goes in and answers come back in order, on the loop.
///
/// It keeps the connection and tells each change between up and down once. Down is a server that can't be reached: a connection that the
/// server has ended is replaced, and the work that met its end is done again. `SQLWorker` is the thread's own side.
public final class SQLThread {
  public typealias Work<Value> = @Sendable (DatabaseConnection) throws(DatabaseError) -> Value

  /// A server that has not answered for this long counts as gone, although the connection stands: a stopped or hanging server.
  public static let answerLimit = Duration.seconds(10)

  private struct Reply: Sendable {
    var number: UInt64
    var result: Result<any Sendable, DatabaseError>
    /// Set when the connection came or went with this reply; number 0 = only this.
    var change: Change?
    /// Statements that it took.
    var statements: UInt64 = 0
  }

  enum Change: Sendable {
    case up(server: String)
    case down(DatabaseError)
  }

  private struct Pending {
    var since: MonotonicTime
    var answer: (Result<any Sendable, DatabaseError>) -> Void
  }

  /// nil = not tried yet.
  public private(set) var isUp: Bool?
  /// Called on the loop when the database comes or goes.
  public var onChange: ((Bool) -> Void)?
  /// Statements that were run since the start.
  public private(set) var statementCount: UInt64 = 0

  private let loop: EventLoop
  private var outages: OutageLog
  private let mailbox: Mailbox<Reply>
  private let worker: SQLWorker
  private var pending: [UInt64: Pending] = [:]
  private var nextNumber: UInt64 = 0
  private var silent = false

  public init(settings: DatabaseSettings, loop: EventLoop, log: Logger) throws {
    self.loop = loop
    outages = OutageLog("the database", log: log)
    let mailbox = try Mailbox<Reply>()
    self.mailbox = mailbox
    worker = SQLWorker(settings: settings) { number, result, change, statements in
      mailbox.send(Reply(number: number, result: result, change: change, statements: statements))
    }
    try mailbox.deliver(on: loop) { [weak self] reply in self?.receive(reply) }
    try SystemError.check(worker.start(), "start the SQL thread")
  }

  /// Queues work for the thread. While the database is down the answer is an error, at once.
  ///
  /// `repeats`: it may be run again when its connection was cut or a statement of it was interrupted. Right for questions and for writing
  /// what is true whatever was written before; work that is not told apart from its own first half says false and gets the error.
  public func submit<Value: Sendable>(
    repeats: Bool = true, _ work: @escaping Work<Value>, _ answer: @escaping (Result<Value, DatabaseError>) -> Void
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
    worker.add(SQLWorker.Job(number: nextNumber, repeats: repeats) { connection throws(DatabaseError) in try work(connection) })
  }

  /// Drops the connection; the next one is made with these.
  public func change(_ settings: DatabaseSettings) { worker.change(settings) }

  /// To be called about every second: notices a server that is silent.
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

  private func receive(_ reply: Reply) {
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
