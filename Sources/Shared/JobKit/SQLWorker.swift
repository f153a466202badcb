import CLinuxShims
import Core
import Database
import Glibc

/// The side of an `SQLThread` that blocks: connects, runs work, tells what became of it. What both sides touch is guarded by `mutex`.
final class SQLWorker: @unchecked Sendable {
  typealias Send = @Sendable (UInt64, Result<any Sendable, DatabaseError>, SQLThread.Change?, _ statements: UInt64) -> Void

  struct Job: Sendable {
    var number: UInt64
    /// It may be run once more when it is not known how far it came.
    var repeats: Bool
    var work: @Sendable (DatabaseConnection) throws(DatabaseError) -> any Sendable
    /// How often a new connection, or another try, may still be its remedy; without an end, a server that ends every connection would be
    /// asked without a pause.
    var remedies = 2
  }

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

  func add(_ job: Job) {
    pthread_mutex_lock(mutex)
    jobs.append(job)
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
        send(0, .success(0), .up(server: connection.serverVersion ?? "unknown server"), connection.statementCount)
        try serve(connection, generation)
      } catch {
        refuse(error)
      }
      connection.close()
    }
  }

  /// Works until another connection is to be made: at once (returns), or after a pause, since the server is away (throws).
  private func serve(_ connection: DatabaseConnection, _ generation: Int) throws(DatabaseError) {
    while let job = next(generation) {
      // A server ends what was idle for its wait_timeout, and an admin or a restart ends what they like. That is seen without asking.
      if connection.isEndedByServer, job.remedies > 0 { return again(job) }
      let begun = MonotonicTime.now
      let before = connection.statementCount
      do throws(DatabaseError) {
        send(job.number, .success(try job.work(connection)), nil, connection.statementCount - before)
      } catch {
        let statements = connection.statementCount - before
        let isLost = !connection.isConnected || error.isOutage
        // Nobody waits any more for what took long.
        let isCurable = job.remedies > 0 && MonotonicTime.now - begun < SQLThread.answerLimit
        if isCurable, job.repeats, isLost || error.isTransient {
          send(0, .success(0), nil, statements)
          again(job)
        } else {
          send(job.number, .failure(error), isLost && !isCurable ? .down(error) : nil, statements)
          if isLost && !isCurable { throw error }
        }
        if isLost { return }
      }
    }
  }

  /// Waits for work; nil = other settings are to be used.
  private func next(_ generation: Int) -> Job? {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    while jobs.isEmpty && generation == self.generation { pthread_cond_wait(changed, mutex) }
    return generation == self.generation ? jobs.removeFirst() : nil
  }

  /// It is the next again.
  private func again(_ job: Job) {
    var job = job
    job.remedies -= 1
    pthread_mutex_lock(mutex)
    jobs.insert(job, at: 0)
    pthread_mutex_unlock(mutex)
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
