import Core
import Database
import Fixture
import Glibc
import Logging
import Synchronization

@testable import JobKit

/// A job engine on a loop of its own, with a table in a file and scripts of /bin/sh, and no server: jobs are started by hand.
final class EngineScene {
  let directory = "/tmp/engine-\(getpid())-\(UInt32.random(in: 0 ... .max))"
  let loop: EventLoop
  let lines = LogLines()
  let type = ShellType()
  private(set) var coordinator: LocalCoordinator
  private(set) var cooldowns: CooldownFile
  private(set) var engine: JobEngine

  var tablePath: String { ChildLaunch.jobTable(.poller, in: directory) }

  /// `prepare`: what is done with the files before the engine adopts them.
  init(workers: Int = 2, prepare: (EngineScene.Files) throws -> Void = { _ in }) throws {
    mkdir(directory, 0o700)
    try prepare(Files(directory: directory))
    loop = try EventLoop()
    let made = try Self.make(directory, workers, type, loop, lines)
    (engine, coordinator, cooldowns) = made
    engine.adopt()
  }

  struct Files {
    let directory: String
    var table: String { ChildLaunch.jobTable(.poller, in: directory) }
    var cooldowns: String { ChildLaunch.cooldowns(.poller, in: directory) }
  }

  private static func make(
    _ directory: String, _ workers: Int, _ type: ShellType, _ loop: EventLoop, _ lines: LogLines
  ) throws -> (JobEngine, LocalCoordinator, CooldownFile) {
    var settings = Settings(base: directory, nodeID: "n", pollerName: "n")
    settings[.poller].workers = workers
    settings.database.socket = "/nonexistent"
    let log = Logger(label: "test") { _ in lines }
    let coordinator = LocalCoordinator(lockName: { type.lockName($0) }, clock: { [loop] in loop.now })
    let table = try JobTable.open(path: ChildLaunch.jobTable(.poller, in: directory), slots: workers, place: .current(), number: 7)
    let cooldowns = try CooldownFile(path: ChildLaunch.cooldowns(.poller, in: directory), fresh: table.generation == 1, now: .now)
    let engine = JobEngine(
      loop: loop, type: type, settings: settings, host: LinuxHost(type: .poller, directory: directory, loop: loop, log: log),
      table: table, cooldowns: cooldowns, coordinator: coordinator,
      sql: try DatabaseClient.mariaDB(settings.database, loop: loop, log: Logger(label: "sql") { _ in SwiftLogNoOpLogHandler() }),
      log: log)
    return (engine, coordinator, cooldowns)
  }

  /// Takes a device into a free slot and starts its script.
  func start(_ payload: String) {
    coordinator.enqueue([QueueItem(payload: payload, group: 0, score: 5)], respectingLocks: false)
    guard let slot = engine.slots.first(where: { $0.phase == .free }) else { return }
    // Without the look under the lock.
    _ = slot.machine.handle(.take)
    coordinator.take(engine.owner(slot.index)) { [engine] result in
      guard case .job(let job) = result else { return }
      _ = slot.machine.handle(.taken(job))
      engine.start(job, slot)
    }
  }

  /// Starts it and waits for its end.
  func run(_ payload: String) {
    start(payload)
    turn { engine.running == 0 }
  }

  @discardableResult
  func turn(until limit: Duration = .seconds(6), _ condition: () -> Bool) -> Bool {
    let end = MonotonicTime.now + limit
    while !condition() {
      if MonotonicTime.now >= end { return false }
      do { try loop.turn(limit: .milliseconds(5)) } catch { return false }
    }
    return true
  }

  var heartbeat: Heartbeat {
    var heartbeat = Heartbeat()
    engine.fillHeartbeat(&heartbeat, at: .now)
    return heartbeat
  }

  func said(_ words: String) -> Int { lines.all.count { $0.contains(words) } }

  deinit {
    for slot in engine.slots { if let pid = slot.identity?.pid, pid > 1 { kill(-pid, SIGKILL) } }
    for name in directoryEntries(directory) { unlink("\(directory)/\(name)") }
    rmdir(directory)
  }
}

/// A type whose script is a file `script` in the base directory, started with the device as its argument.
struct ShellType: SchedulerType {
  let type = TaskType.poller
  let lockPrefix = "poller.device."
  func slots(_ settings: Settings) -> Int { settings[.poller].workers }
  func rules(_ settings: Settings, startedAt: MonotonicTime) -> [DispatchRule] { [] }
  func command(_ item: QueueItem, _ settings: Settings) -> ScriptCommand {
    ScriptCommand("script", [item.payload] + (settings.flags.output == .none ? ["-q"] : []))
  }
  func exitKind(_ settings: Settings) -> ExitCodePolicy.Kind { .device(downCodes: [6]) }
  func logFile(_ item: QueueItem) -> String? { "device_\(item.payload).log" }
}

extension EngineScene {
  /// `body`: what the script does; $1 is the device.
  func script(_ body: String, mode: mode_t = 0o755) throws {
    try writeText("#!/bin/sh\n" + body + "\n", to: directory + "/script", mode: mode)
  }
}
