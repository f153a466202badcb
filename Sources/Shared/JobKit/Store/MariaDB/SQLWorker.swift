import CLinuxShims
import Core
import Database
import Glibc

/// The one thread of a child that may wait for the database: connects, carries out requests, tells what became of them. What it shares with the
/// loop is guarded by `mutex`.
final class SQLWorker: DatabaseBackend, @unchecked Sendable {
  typealias Send = @Sendable (DatabaseReply) -> Void

  /// Between attempts to connect: under the 2 s within which work has to resume, with jitter so that children don't come in step.
  private static let retry = (least: 700, most: 1400)
  private static let connectTimeout = Duration.seconds(5)
  private static let answerTimeout = Duration.seconds(60)

  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private var requests: [DatabaseRequest] = []
  private var settings: DatabaseSettings
  private var generation = 0
  private let send: Send

  init(settings: DatabaseSettings, send: @escaping Send) {
    self.settings = settings
    self.send = send
    mutex.initialize(to: pthread_mutex_t())
    pthread_mutex_init(mutex, nil)
    changed.initialize(to: pthread_cond_t())
    // The wall clock, which a condition waits by if nothing is said, may be set back by hours during a wait.
    var attributes = pthread_condattr_t()
    pthread_condattr_init(&attributes)
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    pthread_cond_init(changed, &attributes)
    pthread_condattr_destroy(&attributes)
  }

  func start() -> Int32 {
    let context = Unmanaged.passRetained(self).toOpaque()
    let body: @convention(c) (UnsafeMutableRawPointer?) -> Void = { context in
      guard let context else { return }
      Unmanaged<SQLWorker>.fromOpaque(context).takeUnretainedValue().run()
    }
    return shim_thread_start(body, context, 512 * 1024, "sql")
  }

  func add(_ request: DatabaseRequest) {
    pthread_mutex_lock(mutex)
    requests.append(request)
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
        // Where the connection before was only replaced nothing has changed, and nobody hears of it.
        send(
          DatabaseReply(
            number: 0, result: .success(0), change: .up(server: connection.serverVersion ?? "unknown server"),
            statements: connection.statementCount))
        try serve(MariaDBSession(connection), generation)
      } catch {
        refuse(error)
      }
      connection.close()
    }
  }

  /// Works until another connection is to be made: at once (returns), or after a pause, since the server is away (throws).
  private func serve(_ session: MariaDBSession, _ generation: Int) throws(DatabaseError) {
    let connection = session.connection
    while let request = next(generation) {
      // A server ends what was idle for its wait_timeout, and an admin or a restart ends what they like. That is seen without asking.
      if connection.isEndedByServer, request.remedies > 0 { return again(request) }
      let begun = MonotonicTime.now
      let before = connection.statementCount
      do throws(DatabaseError) {
        let value = try request.run(session)
        send(DatabaseReply(number: request.number, result: .success(value), statements: connection.statementCount - before))
      } catch {
        let statements = connection.statementCount - before
        let isLost = !connection.isConnected || error.isOutage
        // Nobody waits any more for what took long.
        let isCurable = request.remedies > 0 && MonotonicTime.now - begun < DatabaseClient.answerLimit
        if isCurable, request.mayRepeat, isLost || error.isTransient {
          send(DatabaseReply(number: 0, result: .success(0), statements: statements))
          again(request)
        } else {
          let change: DatabaseReply.Change? = isLost && !isCurable ? .down(error) : nil
          send(DatabaseReply(number: request.number, result: .failure(error), change: change, statements: statements))
          if isLost && !isCurable { throw error }
        }
        if isLost { return }
      }
    }
  }

  /// Waits for a request; nil = other settings are to be used.
  private func next(_ generation: Int) -> DatabaseRequest? {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    while requests.isEmpty && generation == self.generation { pthread_cond_wait(changed, mutex) }
    return generation == self.generation ? requests.removeFirst() : nil
  }

  /// It is the next again.
  private func again(_ request: DatabaseRequest) {
    var request = request
    request.remedies -= 1
    pthread_mutex_lock(mutex)
    requests.insert(request, at: 0)
    pthread_mutex_unlock(mutex)
  }

  /// Everything that waits is told, then a pause.
  private func refuse(_ error: DatabaseError) {
    pthread_mutex_lock(mutex)
    let refused = requests
    requests = []
    pthread_mutex_unlock(mutex)
    send(DatabaseReply(number: 0, result: .success(0), change: .down(error)))
    for request in refused { send(DatabaseReply(number: request.number, result: .failure(error))) }
    var until = timespec()
    clock_gettime(CLOCK_MONOTONIC, &until)
    let nanoseconds = until.tv_nsec + Int.random(in: Self.retry.least...Self.retry.most) * 1_000_000
    until.tv_sec += nanoseconds / 1_000_000_000
    until.tv_nsec = nanoseconds % 1_000_000_000
    pthread_mutex_lock(mutex)
    let before = generation
    while generation == before, pthread_cond_timedwait(changed, mutex, &until) == 0 {}
    pthread_mutex_unlock(mutex)
  }
}
