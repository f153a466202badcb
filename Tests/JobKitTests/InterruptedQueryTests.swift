import Core
import Database
import Glibc
import Logging
import Testing

@testable import JobKit

extension SQLThreadTests {
  /// Questions of a child that the database interrupts again and again, by what the child does next.
  @Suite struct InterruptedQueryTests {
    /// Due always; its query and the look under the lock fail with this error so many times.
    private struct FailingType: SchedulerType {
      let type = TaskType.poller
      let lockPrefix = "poller.device."
      let error: DatabaseError
      let asked = Counter()
      let checked = Counter()
      /// Failures before an answer. The thread itself tries three times for each question.
      let failures: Int

      func slots(_ settings: Settings) -> Int { 1 }
      func rules(_ settings: Settings, startedAt: MonotonicTime) -> [DispatchRule] {
        [
          DispatchRule(name: "polling", trigger: .every(.seconds(1)), respectsLocks: true) { _ throws(DatabaseError) in
            try answer(asked)
            return [DueJob(payload: "7", group: 0)]
          }
        ]
      }
      func command(_ item: QueueItem, _ settings: Settings) -> ScriptCommand { ScriptCommand("/bin/sleep", ["20"]) }
      func exitKind(_ settings: Settings) -> ExitCodePolicy.Kind { .device(downCodes: [6]) }
      func logFile(_ item: QueueItem) -> String? { nil }
      func check(_ item: QueueItem, _ settings: Settings) -> (@Sendable (DatabaseConnection) throws(DatabaseError) -> Fitness)? {
        { _ throws(DatabaseError) in
          try answer(checked)
          return .run
        }
      }
      func judge(
        _ item: QueueItem, age: Duration
      ) -> (@Sendable (DatabaseConnection) throws(DatabaseError) -> ExitCodePolicy.Ending)? { nil }

      private func answer(_ counter: Counter) throws(DatabaseError) {
        counter.add()
        if counter.value <= failures { throw error }
      }
    }

    /// How long it takes from the first failure to the script, and what was said.
    private func play(_ number: UInt32, failures: Int, limit: Duration) throws -> (took: Duration?, lines: [String], type: FailingType) {
      let scene = try SQLScene(try SQLThreadTests.server.get().settings)
      let directory = "/tmp/interrupted-\(getpid())-\(UInt32.random(in: 0 ... .max))"
      mkdir(directory, 0o700)
      defer {
        for name in ["poller.jobs", "poller.0.out"] { unlink("\(directory)/\(name)") }
        rmdir(directory)
      }
      let type = FailingType(error: DatabaseError(kind: .statement, number: number, text: "interrupted"), failures: failures)
      let lines = LogLines()
      let log = Logger(label: "test") { _ in lines }
      var settings = Settings(base: directory, nodeID: "n", pollerName: "n")
      settings[.poller].enabled = true
      let engine = JobEngine(
        loop: scene.loop, type: type, settings: settings,
        host: LinuxHost(type: .poller, directory: directory, loop: scene.loop, log: log),
        table: try JobTable.open(path: ChildLaunch.jobTable(.poller, in: directory), slots: 1, place: .current()), cooldowns: nil,
        coordinator: LocalCoordinator(lockName: { type.lockName($0) }, clock: { scene.loop.now }), sql: scene.thread, log: log)
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
        lines.all.filter { line in !["the service stops", "the stop", "killed by"].contains { line.contains($0) } }, type
      )
    }

    /// The thread's own tries hide the first; then it is the due query's turn, and then that of the look under the lock.
    @Test(arguments: [(1317, 1), (1205, 4), (1213, 7)] as [(UInt32, Int)])
    func workGoesOnWithinSecondsAndNothingIsSaid(number: UInt32, failures: Int) throws {
      let (took, lines, type) = try play(number, failures: failures, limit: .seconds(15))
      // Each question that fails in spite of the thread's tries costs 2 s at most; there are two kinds of questions.
      #expect((took ?? .seconds(99)) < .seconds(2 + 4 * (failures / 3)), "\(String(describing: took))")
      #expect(lines.filter { !$0.contains("limit after") }.isEmpty, "\(lines)")
      #expect(type.asked.value > failures && type.checked.value > failures)
    }

    @Test func aRefusalThatLastsIsSaidAtOnceAndOnlyOnce() throws {
      let (took, lines, type) = try play(1142, failures: 1000, limit: .seconds(4))
      #expect(took == nil && type.asked.value == 1)
      #expect(lines == ["error can't ask what is due (polling): interrupted (error 1142)"])
    }
  }
}
