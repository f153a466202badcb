import CLinuxShims
import Core
import Database
import Glibc
import Logging

/// The one thread of a child that may wait for the database. Work goes in and answers come back in order, on the loop.
///
/// It keeps the connection, reconnects by itself, and tells each change between up and down once.
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

  fileprivate enum Change: Sendable {
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

  private let log: Logger
  private let mailbox: Mailbox<Reply>
  private let worker: SQLWorker
  private var pending: [UInt64: Pending] = [:]
  private var nextNumber: UInt64 = 0
  private var silent = false

  public init(settings: DatabaseSettings, loop: EventLoop, log: Logger) throws {
    self.log = log
    let mailbox = try Mailbox<Reply>()
    self.mailbox = mailbox
    worker = SQLWorker(settings: settings) { number, result, change, statements in
      mailbox.send(Reply(number: number, result: result, change: change, statements: statements))
    }
    try mailbox.deliver(on: loop) { [weak self] reply in self?.receive(reply) }
    try SystemError.check(worker.start(), "start the SQL thread")
  }

  /// Queues work for the thread. While the database is down the answer is an error, at once.
  public func submit<Value: Sendable>(
    _ work: @escaping Work<Value>, _ answer: @escaping (Result<Value, DatabaseError>) -> Void
  ) {
    if isUp == false || silent {
      return answer(.failure(DatabaseError(kind: .unreachable, number: 0, text: "the database is away")))
    }
    nextNumber += 1
    pending[nextNumber] = Pending(since: .now) { result in
      switch result {
      case .success(let value):
        guard let value = value as? Value else { preconditionFailure("an answer belongs to its question") }
        answer(.success(value))
      case .failure(let error): answer(.failure(error))
      }
    }
    worker.add(nextNumber) { connection throws(DatabaseError) in try work(connection) }
  }

  /// Drops the connection; the next one is made with these.
  public func change(_ settings: DatabaseSettings) { worker.change(settings) }

  /// To be called about every second: notices a server that is silent.
  public func look(at now: MonotonicTime) {
    guard !silent, let oldest = pending.values.map(\.since).min(), now - oldest > Self.answerLimit else { return }
    silent = true
    let error = DatabaseError(kind: .lost, number: 0, text: "no answer for \(Self.answerLimit.components.seconds) s")
    let unanswered = pending.sorted { $0.key < $1.key }
    pending = [:]
    switchTo(false, "database away: \(error)")
    for (_, entry) in unanswered { entry.answer(.failure(error)) }
  }

  private func receive(_ reply: Reply) {
    statementCount += reply.statements
    // Any sign of life ends a silence.
    let wasSilent = silent
    silent = false
    switch reply.change {
    case .up(let server): switchTo(true, "database connected: \(server)")
    case .down(let error): switchTo(false, "database away: \(error); waiting for it")
    case nil: if wasSilent { switchTo(true, "database answers again") }
    }
    if reply.number != 0, let entry = pending.removeValue(forKey: reply.number) { entry.answer(reply.result) }
  }

  private func switchTo(_ up: Bool, _ text: @autoclosure () -> String) {
    guard isUp != up else { return }
    isUp = up
    if up { log.info("\(text())") } else { log.error("\(text())") }
    onChange?(up)
  }
}

/// The thread's side: everything here that both sides touch is guarded by `mutex`.
private final class SQLWorker: @unchecked Sendable {
  typealias Send = @Sendable (UInt64, Result<any Sendable, DatabaseError>, SQLThread.Change?, _ statements: UInt64) -> Void
  typealias Job = (number: UInt64, work: @Sendable (DatabaseConnection) throws(DatabaseError) -> any Sendable)

  /// Between attempts to connect: under the 2 s within which work has to resume, with jitter so that children don't come in step.
  private static let retry = (least: 700, most: 1400)
  private static let connectTimeout = Duration.seconds(5)
  private static let answerTimeout = Duration.seconds(60)

  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private var jobs: [Job] = []
  private var settings: DatabaseSettings
  private var generation = 0
  private let send: Send

  init(settings: DatabaseSettings, send: @escaping Send) {
    self.settings = settings
    self.send = send
    mutex.initialize(to: pthread_mutex_t())
    pthread_mutex_init(mutex, nil)
    changed.initialize(to: pthread_cond_t())
    pthread_cond_init(changed, nil)
  }

  func start() -> Int32 {
    let context = Unmanaged.passRetained(self).toOpaque()
    let body: @convention(c) (UnsafeMutableRawPointer?) -> Void = { context in
      guard let context else { return }
      Unmanaged<SQLWorker>.fromOpaque(context).takeUnretainedValue().run()
    }
    return shim_thread_start(body, context, 512 * 1024, "sql")
  }

  func add(_ number: UInt64, _ work: @escaping @Sendable (DatabaseConnection) throws(DatabaseError) -> any Sendable) {
    pthread_mutex_lock(mutex)
    jobs.append((number, work))
    pthread_cond_signal(changed)
    pthread_mutex_unlock(mutex)
  }

  func change(_ new: DatabaseSettings) {
    pthread_mutex_lock(mutex)
    if new != settings {
      settings = new
      generation += 1
      pthread_cond_signal(changed)
    }
    pthread_mutex_unlock(mutex)
  }

  private func run() {
    while true {
      pthread_mutex_lock(mutex)
      let (settings, generation) = (self.settings, self.generation)
      pthread_mutex_unlock(mutex)
      let connection = DatabaseConnection(
        settings: settings, connectTimeout: Self.connectTimeout, readTimeout: Self.answerTimeout, writeTimeout: Self.answerTimeout)
      do throws(DatabaseError) {
        try connection.connect()
        send(0, .success(0), .up(server: connection.serverVersion ?? "unknown server"), connection.statementCount)
        try serve(connection, generation)
      } catch {
        refuse(error)
      }
      connection.close()
    }
  }

  /// Works until the connection is lost (throws) or other settings are to be used (returns).
  private func serve(_ connection: DatabaseConnection, _ generation: Int) throws(DatabaseError) {
    while true {
      pthread_mutex_lock(mutex)
      while jobs.isEmpty && generation == self.generation { pthread_cond_wait(changed, mutex) }
      let job = generation == self.generation ? jobs.removeFirst() : nil
      pthread_mutex_unlock(mutex)
      guard let job else { return }
      let before = connection.statementCount
      do throws(DatabaseError) {
        send(job.number, .success(try job.work(connection)), nil, connection.statementCount - before)
      } catch {
        guard !connection.isConnected || error.isOutage else {
          send(job.number, .failure(error), nil, connection.statementCount - before)
          continue
        }
        send(job.number, .failure(error), .down(error), connection.statementCount - before)
        throw error
      }
    }
  }

  /// Everything that waits is told, then a pause.
  private func refuse(_ error: DatabaseError) {
    pthread_mutex_lock(mutex)
    let refused = jobs
    jobs = []
    pthread_mutex_unlock(mutex)
    send(0, .success(0), .down(error), 0)
    for job in refused { send(job.number, .failure(error), nil, 0) }
    var until = timespec()
    clock_gettime(CLOCK_REALTIME, &until)
    let nanoseconds = until.tv_nsec + Int.random(in: Self.retry.least...Self.retry.most) * 1_000_000
    until.tv_sec += nanoseconds / 1_000_000_000
    until.tv_nsec = nanoseconds % 1_000_000_000
    pthread_mutex_lock(mutex)
    let before = generation
    while generation == before, pthread_cond_timedwait(changed, mutex, &until) == 0 {}
    pthread_mutex_unlock(mutex)
  }
}
