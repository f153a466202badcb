import Core
import Glibc

/// A child with one thread and blocking waits, which is all that a test needs.
final class StandInChild {
  private let type: TaskType
  private let words: [String]
  private let channel = ChildLaunch.channel
  private var decoder = FrameDecoder(limit: FrameDecoder.downwardLimit)
  private var beat: UInt64 = 0
  private var readySince: MonotonicTime?
  private var table: JobTable?
  private var epoch = 0

  /// Ways to end or to talk nonsense are in `misbehave`; beside them `beats` (default), `silent`, `outage`, `reject`, `deaf` to drain,
  /// `script COMMAND…`: ready, and a script in slot 0; `busy N`; `untabled N`: N jobs in no table; `fault TEXT`;
  /// `bolt`: it ends when it is asked something;
  /// `nag`: it wants a reload with each beat.
  init(_ type: TaskType) {
    self.type = type
    words = behaviour(type.rawValue)
  }

  func run() -> Never {
    note("\(type.rawValue) started \(getpid())")
    misbehave(before: "hello")
    send(Upward.hello(wire: words.first == "wire" ? 99 : wireVersion, type: type, pid: getpid(), version: "stand-in"), to: channel)
    while true {
      listen()
      if readySince != nil, words.first != "silent" { heartbeat() }
    }
  }

  private func misbehave(before: String) {
    switch words.first {
    case "exit": exit(Int32(words[1]) ?? 1)
    case "garbage": sendBytes(FrameDecoder.frame(Array("{\"hello\"".utf8)), to: channel)
    case "binary": sendBytes((0..<4096).map { UInt8(truncatingIfNeeded: $0 &* 7 | 0x80) }, to: channel)
    case "huge": sendBytes([0x06, 0x40, 0, 0, 1, 2, 3], to: channel)
    case "half":
      sendBytes([0, 0, 0, 200, 123, 34], to: channel)
      close(channel)
      sleep(60)
    case "slow":
      while true {
        sendBytes([0], to: channel)
        usleep(20000)
        sendBytes([0, 0, 50, 1, 2, 3], to: channel)
        sleep(60)
      }
    case "early": send(Upward.ready(epoch: 1), to: channel)
    case "flood":
      // Until it is killed: frames of the largest allowed size that are no messages.
      let frame = FrameDecoder.frame([UInt8](repeating: 32, count: FrameDecoder.upwardLimit))
      while true { sendBytes(frame, to: channel) }
    case "mute": while true { sleep(60) }
    default: break
    }
  }

  /// Waits for messages for up to 50 ms.
  private func listen() {
    var watched = pollfd(fd: channel, events: Int16(POLLIN), revents: 0)
    guard poll(&watched, 1, 50) > 0 else { return }
    var buffer = [UInt8](repeating: 0, count: 65536)
    let count = read(channel, &buffer, buffer.count)
    if count < 0 && errno == EAGAIN { return }
    guard count > 0, let frames = try? decoder.feed(buffer[..<count]) else { exit(0) }
    for frame in frames {
      if let message = try? MessageCodec.decode(Downward.self, from: frame) { handle(message) }
    }
  }

  private func handle(_ message: Downward) {
    switch message {
    case .configure(let epoch, _, let settings): configure(epoch, settings)
    case .drain(let kill):
      note("\(type.rawValue) drain kill=\(kill)")
      if words.first != "deaf" { exit(0) }
    case .reaped(let pid, _, let status): note("\(type.rawValue) reaped \(pid) \(status)")
    case .enqueue(let number, let payloads):
      note("\(type.rawValue) enqueue \(payloads.joined(separator: ","))")
      if words.first == "bolt" { exit(1) }
      // An answer to a question that was never asked must do no harm.
      send(Upward.enqueued(number: number + 1000, results: []), to: channel)
      send(Upward.enqueued(number: number, results: payloads.map { OnDemandResult(payload: $0, outcome: outcome($0)) }), to: channel)
    case .move(let directory): note("\(type.rawValue) move \(directory)")
    case .heartbeats(let heartbeats): note("\(type.rawValue) heartbeats \(heartbeats.keys.map(\.rawValue).sorted().joined(separator: ","))")
    case .listLocks(let number):
      note("\(type.rawValue) listLocks")
      if words.first == "bolt" { exit(1) }
      // More than fit into one message, so that the parts have to be put together.
      let locks = (1...90).map {
        LockReport(name: "\(type.rawValue).device.\($0)", owner: standInOwner, remaining: .seconds(4), isRunning: false)
      }
      for page in LockPage.pages(of: locks, omitted: 3) { send(Upward.locks(number: number, page: page), to: channel) }
    }
  }

  private var standInOwner: String { "n2-8f0e7c1a-1b2c-8d3e-9f40-5a6b7c8d9e0f-\(type.ownerName)_0-1" }

  private func outcome(_ payload: String) -> OnDemandResult.Outcome {
    switch payload {
    case "404": .noSuchDevice
    case "7": .running(LockReport(name: "\(type.rawValue).device.7", owner: standInOwner, age: .seconds(12), isRunning: true))
    case "8": .lifted(group: 3)
    default: .queued(group: nil)
    }
  }

  private func configure(_ epoch: Int, _ settings: Settings) {
    note("\(type.rawValue) configure \(epoch) workers=\(settings[type].workers)")
    if words.first == "reject", epoch > 1 {
      return send(Upward.configRejected(epoch: epoch, reason: "it can't be done"), to: channel)
    }
    if words.first == "78" { exit(ChildLaunch.structuralExit) }
    if words.first == "before-ready" { kill(getpid(), SIGKILL) }
    self.epoch = epoch
    openTable()
    send(Upward.ready(epoch: epoch), to: channel)
    readySince = readySince ?? .now
    // A message of a newer version must do no harm.
    sendBytes(FrameDecoder.frame(Array("{\"moonPhase\":{\"full\":true}}".utf8)), to: channel)
  }

  private func openTable() {
    guard table == nil, let runtime = ChildLaunch.runtimeDirectory(Array(CommandLine.arguments.dropFirst())) else { return }
    table = try? JobTable.open(path: ChildLaunch.jobTable(type, in: runtime), slots: 2, place: .current(), number: 7)
    guard words.first == "script", let table, table.word(0).state == .free else { return }
    let record = JobRecord(
      payload: "7", lock: "", owner: "", group: 0, score: 0, startedAt: .now, startedWall: WallClock.now,
      deadline: .now + .milliseconds(Int(words[1]) ?? 60000))
    guard let word = table.begin(0, record) else { return }
    let null = open("/dev/null", O_RDWR | O_CLOEXEC)
    let program = Program(
      path: "/bin/bash", arguments: ["-c", words.dropFirst(2).joined(separator: " ")], environment: ScriptEnvironment.current(),
      input: null,
      output: null, error: null)
    if let started = try? program.start(in: (table, 0, word)) { note("script \(started.pid)") }
    close(null)
  }

  private func heartbeat() {
    beat += 1
    var heartbeat = Heartbeat()
    heartbeat.beat = beat
    heartbeat.slots = 4
    if words.first == "busy" { heartbeat.busy = Int(words[1]) ?? 0 }
    if words.first == "outage" { heartbeat.outages = [.database] }
    if words.first == "fault" { heartbeat.fault = words.dropFirst().joined(separator: " ") }
    if words.first == "untabled" {
      heartbeat.tableFailure = "no space"
      heartbeat.busy = Int(words[1]) ?? 0
    }
    if words.first == "absurd" {
      heartbeat.busy = .max
      heartbeat.slots = .min
      heartbeat.queued = .max
      heartbeat.oldestDue = .seconds(Int64.max)
      heartbeat.consumed = .seconds(Int64.min)
      heartbeat.capacity = .nanoseconds(1)
      heartbeat.lateTicks = .max
      heartbeat.missedTicks = .max
      heartbeat.lastError = "\u{1B}[31m" + String(repeating: "x\n", count: 5000)
      heartbeat.lastJobStarted = MonotonicTime(nanoseconds: .min)
    }
    send(Upward.heartbeat(heartbeat), to: channel)
    if words.first == "nag" { send(Upward.reloadWanted(reason: "it nags"), to: channel) }
  }
}
