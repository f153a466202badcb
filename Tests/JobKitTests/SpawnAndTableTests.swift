import CLinuxShims
import Core
import Database
import Fixture
import Glibc
import Logging
import Testing

@testable import JobKit

/// A child killed between the spawn of a script and the script's entry into the job table, in both orders of what follows.
@Suite(.serialized) struct SpawnAndTableTests {
  /// The probe, its script stopped at a point, and everything a test needs to go on.
  private final class Scene {
    let directory: String
    let table: String
    let ran: String
    let probe: Program.Started
    private let go: Int32
    private let said: Int32

    init(point: Int) throws {
      directory = "/tmp/spawn-table-\(getpid())-\(UInt32.random(in: 0 ... .max))"
      mkdir(directory, 0o700)
      table = ChildLaunch.jobTable(.poller, in: directory)
      ran = directory + "/ran"
      var input: [Int32] = [0, 0]
      var output: [Int32] = [0, 0]
      pipe(&input)
      pipe(&output)
      for end in input + output { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
      let program = Program(
        path: SampleNode.buildDirectory + "/SpawnProbe", arguments: [table, String(point), "echo $$ > \(ran); exec sleep 30"],
        environment: [], input: input[0], output: output[1], error: 2)
      probe = try program.start()
      close(input[0])
      close(output[1])
      go = input[1]
      said = output[0]
      var bytes = [UInt8](repeating: 0, count: 2)
      let count = read(said, &bytes, 2)
      try #require(count == 2, "the script has not reached its point")
    }

    /// kill -9, and the probe is reaped before anything else happens: as a supervisor does it.
    func killProbe() {
      kill(probe.pid, SIGKILL)
      var status: Int32 = 0
      waitpid(probe.pid, &status, 0)
      close(probe.pidfd)
    }

    func letGo() { write(go, "g", 1) }

    /// The end of the script's process closes the pipe that it says "at" on.
    func waitForScriptsEnd(_ limit: Duration) -> Bool {
      var entry = pollfd(fd: said, events: Int16(POLLIN), revents: 0)
      return poll(&entry, 1, Int32(limit.components.seconds * 1000)) == 1
    }

    deinit {
      if let text = FileText.read(ran, limit: 32), let pid = Int32(text.filter(\.isNumber)) { kill(pid, SIGKILL) }
      close(go)
      close(said)
      for name in ["poller.jobs", "poller.cooldowns", "poller.0.out", "ran"] { unlink("\(directory)/\(name)") }
      rmdir(directory)
    }
  }

  private func successor(_ scene: Scene) throws -> (engine: JobEngine, coordinator: LocalCoordinator, loop: EventLoop) {
    let loop = try EventLoop()
    let log = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    var settings = Settings(base: scene.directory, nodeID: "n", pollerName: "n")
    settings.database.socket = "/nonexistent"
    let type = IdleType()
    let coordinator = LocalCoordinator(lockName: { type.lockName($0) }, clock: { loop.now })
    let table = try JobTable.open(path: scene.table, slots: 1, place: .current(), number: 7)
    let engine = JobEngine(
      loop: loop, type: type, settings: settings,
      host: LinuxHost(type: .poller, directory: scene.directory, loop: loop, log: log), table: table, cooldowns: nil,
      coordinator: coordinator,
      sql: try DatabaseClient.mariaDB(settings.database, loop: loop, log: log), log: log)
    engine.adopt()
    return (engine, coordinator, loop)
  }

  @Test func theSuccessorComesFirstAndTheScriptNeverRuns() throws {
    let scene = try Scene(point: 1)
    scene.killProbe()
    let (engine, coordinator, _) = try successor(scene)
    #expect(engine.running == 0)
    #expect(coordinator.depth == 1, "the job is back in the queue")
    scene.letGo()
    #expect(scene.waitForScriptsEnd(.seconds(5)))
    #expect(access(scene.ran, F_OK) != 0, "the script has run although its job was taken away")
    #expect(engine.table.word(0).state == .free)
  }

  @Test func theScriptComesFirstAndIsAdopted() throws {
    let scene = try Scene(point: 1)
    scene.killProbe()
    scene.letGo()
    try #require(waitUntilRan(scene))
    let (engine, coordinator, _) = try successor(scene)
    #expect(engine.running == 1)
    #expect(coordinator.depth == 0)
    #expect(coordinator.isHeld("poller.device.7"))
  }

  @Test func killedAfterTheEntryButBeforeExecTheScriptIsAdoptedAndRuns() throws {
    let scene = try Scene(point: 2)
    scene.killProbe()
    let (engine, coordinator, _) = try successor(scene)
    #expect(engine.running == 1)
    #expect(coordinator.depth == 0)
    scene.letGo()
    #expect(waitUntilRan(scene))
  }

  private func waitUntilRan(_ scene: Scene) -> Bool {
    for _ in 0..<500 {
      if let text = FileText.read(scene.ran, limit: 32), text.hasSuffix("\n") { return true }
      usleep(10_000)
    }
    return false
  }
}

/// A type without work of its own.
private struct IdleType: SchedulerType {
  let type = TaskType.poller
  let lockPrefix = "poller.device."
  func slots(_ settings: Settings) -> Int { 1 }
  func rules(_ settings: Settings, startedAt: MonotonicTime) -> [DispatchRule] { [] }
  func command(_ item: QueueItem, _ settings: Settings) -> ScriptCommand { ScriptCommand("/bin/true", []) }
  func exitKind(_ settings: Settings) -> ExitCodePolicy.Kind { .device(downCodes: [6]) }
  func logFile(_ item: QueueItem) -> String? { nil }
}
