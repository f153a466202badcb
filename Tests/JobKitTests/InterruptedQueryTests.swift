import Core
import Database
import Glibc
import Logging
import Testing

@testable import JobKit

extension DatabaseClientTests {
  /// Questions of a child that the database interrupts again and again, by what the child does next.
  @Suite struct InterruptedQueryTests {
    /// Due always, and always fit.
    private struct DueType: SchedulerType {
      let type = TaskType.poller
      let lockPrefix = "poller.device."

      func slots(_ settings: Settings) -> Int { 1 }
      func rules(_ settings: Settings, startedAt: MonotonicTime) -> [DispatchRule] {
        [
          DispatchRule(
            name: "polling", trigger: .every(.seconds(1)), respectsLocks: true, question: .fixed(["7"], fromServer: false))
        ]
      }
      func command(_ item: QueueItem, _ settings: Settings) -> ScriptCommand { ScriptCommand("/bin/sleep", ["20"]) }
      func exitKind(_ settings: Settings) -> ExitCodePolicy.Kind { .device(downCodes: [6]) }
      func logFile(_ item: QueueItem) -> String? { nil }
      func check(_ item: QueueItem, _ settings: Settings) -> FitnessQuestion? { .presence(item) }
    }

    /// A real server whose answers about what is due, and those under the lock, fail with this error so many times.
    private final class FailingDatabase: NodeDatabase {
      struct Failing<Question: DatabaseQuestion>: DatabaseQuestion {
        var question: Question
        var canned: Question.Answer?
        var counter: Counter
        var failures: Int
        var error: DatabaseError

        func answer(by session: any DatabaseSession, askedAt: MonotonicTime) throws(DatabaseError) -> Question.Answer {
          counter.add()
          if counter.value <= failures { throw error }
          if let canned { return canned }
          return try question.answer(by: session, askedAt: askedAt)
        }
      }

      let client: DatabaseClient
      let error: DatabaseError
      /// Failures before an answer. The client itself tries three times for each question.
      let failures: Int
      let asked = Counter()
      let checked = Counter()

      init(_ client: DatabaseClient, _ error: DatabaseError, failures: Int) {
        self.client = client
        self.error = error
        self.failures = failures
      }

      var isUp: Bool? { client.isUp }
      var onChange: ((Bool) -> Void)? {
        get { client.onChange }
        set { client.onChange = newValue }
      }
      var statementCount: UInt64 { client.statementCount }
      func change(_ settings: DatabaseSettings) { client.change(settings) }
      func look(at now: MonotonicTime) { client.look(at: now) }

      func ask<Question: DatabaseQuestion>(_ question: Question, _ answer: @escaping (Result<Question.Answer, DatabaseError>) -> Void) {
        // The server has no table of devices.
        let isCheck = question is FitnessQuestion
        client.ask(
          Failing(
            question: question, canned: isCheck ? Fitness.run as? Question.Answer : nil, counter: isCheck ? checked : asked,
            failures: failures, error: error), answer)
      }
    }

    /// How long it takes from the first failure to the script, and what was said.
    private func play(_ number: UInt32, failures: Int, limit: Duration) throws -> (
      took: Duration?, lines: [String], database: FailingDatabase
    ) {
      let scene = try SQLScene(try DatabaseClientTests.server.get().settings)
      let directory = "/tmp/interrupted-\(getpid())-\(UInt32.random(in: 0 ... .max))"
      mkdir(directory, 0o700)
      defer {
        for name in ["poller.jobs", "poller.0.out"] { unlink("\(directory)/\(name)") }
        rmdir(directory)
      }
      let type = DueType()
      let database = FailingDatabase(
        scene.client, DatabaseError(kind: .statement, number: number, text: "interrupted"), failures: failures)
      let lines = LogLines()
      let log = Logger(label: "test") { _ in lines }
      var settings = Settings(base: directory, nodeID: "n", pollerName: "n")
      settings[.poller].enabled = true
      let engine = JobEngine(
        loop: scene.loop, type: type, settings: settings,
        host: LinuxHost(type: .poller, directory: directory, loop: scene.loop, log: log),
        table: try JobTable.open(path: ChildLaunch.jobTable(.poller, in: directory), slots: 1, place: .current(), number: 7),
        cooldowns: nil,
        coordinator: LocalCoordinator(lockName: { type.lockName($0) }, clock: { scene.loop.now }), sql: database, log: log)
      let dispatch = Dispatch(engine: engine, log: log)
      let begin = MonotonicTime.now
      var next = begin
      let isStarted = scene.turn(until: limit) {
        if MonotonicTime.now >= next {
          next = next + .seconds(1)
          dispatch.turn(at: .now)
          engine.turn(at: .now)
        }
        return engine.running == 1
      }
      let took = MonotonicTime.now - begin
      engine.drain(kill: true)
      scene.turn { engine.running == 0 }
      return (
        isStarted ? took : nil,
        lines.all.filter { line in !["the service stops", "the stop", "killed by"].contains { line.contains($0) } }, database
      )
    }

    /// The client's own tries hide the first; then it is the due query's turn, and then that of the look under the lock.
    @Test(arguments: [(1317, 1), (1205, 4), (1213, 7)] as [(UInt32, Int)])
    func workGoesOnWithinSecondsAndNothingIsSaid(number: UInt32, failures: Int) throws {
      let (took, lines, database) = try play(number, failures: failures, limit: .seconds(15))
      // Each question that fails in spite of the client's tries costs 2 s at most; there are two kinds of questions.
      #expect((took ?? .seconds(99)) < .seconds(2 + 4 * (failures / 3)), "\(String(describing: took))")
      #expect(lines.filter { !$0.contains("limit after") }.isEmpty, "\(lines)")
      #expect(database.asked.value > failures && database.checked.value > failures)
    }

    @Test func aRefusalThatLastsIsSaidAtOnceAndOnlyOnce() throws {
      let (took, lines, database) = try play(1142, failures: 1000, limit: .seconds(4))
      #expect(took == nil && database.asked.value == 1)
      #expect(lines == ["error can't ask what is due (polling): interrupted (error 1142)"])
    }
  }
}
