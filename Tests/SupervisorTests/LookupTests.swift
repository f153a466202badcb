import Core
import Simulation
import Testing

@testable import Supervisor

@Suite struct LookupTests {
  @Test(
    arguments: [
      ("/flag", "/environment", "/working", true, "/flag"), (nil, "/environment", "/working", true, "/environment"),
      (nil, "", "/working", true, "/working"), (nil, nil, "/working", false, "/opt/librenms"), ("", nil, nil, true, "/opt/librenms"),
    ] as [(String?, String?, String?, Bool, String)])
  func theBaseDirectoryIsTheFirstThatIsNamed(flag: String?, environment: String?, working: String?, holds: Bool, base: String) {
    #expect(BaseDirectory.choose(flag: flag, environment: environment, working: working, holdsLnms: { _ in holds }) == base)
  }

  @Test func executablesAreBesideTheirOwnAndThenInLibexec() {
    #expect(
      ExecutableLookup(environment: nil, executable: "/usr/bin/librenms-dispatcher").directories
        == ["/usr/bin", "/usr/bin/../libexec/librenms-dispatcher"])
    #expect(ExecutableLookup(environment: "/tmp/x", executable: "/usr/bin/librenms-dispatcher").directories == ["/tmp/x"])
    #expect(ExecutableLookup(environment: "", executable: nil).directories.isEmpty)
  }

  @Test func statusesAreKeptForTheNextChildWhileItsTableKnowsTheProcess() {
    var statuses = OrphanStatuses()
    func entry(_ pid: Int32, _ type: TaskType = .poller) -> OrphanStatuses.Entry {
      .init(type: type, process: ProcessIdentity(pid: pid, startTime: 5), status: .exited(6))
    }
    for pid in 1...5000 { statuses.keep(entry(Int32(pid))) }
    statuses.keep(entry(7, .ping))
    let known = Set([Int32(1), 4000, 5000].map { ProcessIdentity(pid: $0, startTime: 5) })
    #expect(statuses.take(.poller, stillIn: known) == [entry(4000), entry(5000)], "1 is beyond the last 4096")
    #expect(statuses.take(.poller, stillIn: known) == [entry(4000), entry(5000)], "a successor may die too")
    #expect(statuses.take(.poller, stillIn: [ProcessIdentity(pid: 4000, startTime: 6)]).isEmpty, "the pid is another's")
    #expect(statuses.take(.ping, stillIn: [ProcessIdentity(pid: 7, startTime: 5)]) == [entry(7, .ping)])
  }
}

@Suite struct UpwardMessageTests {
  private func kind(_ text: String) -> String {
    switch UpwardMessage.read(Array(text.utf8)) {
    case .known: "known"
    case .unknown(let name): "unknown \(name)"
    case .garbage: "garbage"
    }
  }

  @Test(arguments: [
    (#"{"ready":{"epoch":1}}"#, "known"), (#"{"ready":{"epoch":1,"colour":"red"}}"#, "known"), (#"{"ready":{"epoch":"one"}}"#, "garbage"),
    (#"{"ready":{}}"#, "garbage"), (#"{"ready":{"epoch":1e999}}"#, "garbage"), (#"{"dance":{"steps":3}}"#, "unknown dance"),
    (#"{"dance":1,"sing":2}"#, "garbage"), ("{}", "garbage"), ("[]", "garbage"), ("null", "garbage"), ("", "garbage"), ("\u{0}", "garbage"),
  ])
  func aFrameIsAMessageOrAnUnknownOneOrGarbage(text: String, expected: String) {
    #expect(kind(text) == expected)
  }

  @Test func deepNestingIsGarbageAndNotTheEndOfTheStack() {
    for open in ["[", #"{"a":"#, #"{"heartbeat":"#] {
      #expect(kind(String(repeating: open, count: FrameDecoder.upwardLimit / open.utf8.count)) == "garbage")
    }
    let closed = String(repeating: "[", count: 30000) + String(repeating: "]", count: 30000)
    #expect(kind(#"{"dance":"# + closed + "}") == "garbage")
  }

  @Test(arguments: 1...10 as ClosedRange<UInt64>)
  func damagedMessagesNeverDoMoreThanBeGarbage(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    var heartbeat = Heartbeat()
    heartbeat.oldestDue = .seconds(3)
    heartbeat.lastError = "x"
    let whole = try MessageCodec.encode(Upward.heartbeat(heartbeat)).dropFirst(4)
    for _ in 0..<500 {
      var bytes = Array(whole)
      for _ in 0..<Int.random(in: 1...8, using: &random) {
        bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
      }
      _ = UpwardMessage.read(bytes)
      _ = UpwardMessage.read(Array(bytes.prefix(Int.random(in: 0...bytes.count, using: &random))))
    }
    guard case .known = UpwardMessage.read(Array(whole)) else {
      Issue.record("the whole message is not known")
      return
    }
  }
}

@Suite struct StatusTableTests {
  private func report(jobs: Int) -> StatusReport {
    var poller = StatusReport.Child(type: "poller", state: "running", wanted: true)
    poller.pid = 4_194_304
    poller.uptime = 864_000
    poller.restarts = 12345
    poller.busy = jobs
    poller.slots = 1024
    poller.queued = 50000
    poller.oldestDue = 7199
    poller.done = 1_000_000_000
    poller.failed = 1_000_000
    poller.consumed = 299_999.6
    poller.capacity = 307_200
    poller.lastError = String(repeating: "long ", count: 40)
    let off = StatusReport.Child(type: "discovery", state: "stopped", wanted: false)
    let list = (0..<jobs).map {
      StatusReport.Job(type: "discovery", slot: $0, job: "\(1_000_000 + $0)", group: 99, pid: 4_194_304, since: Double($0), limit: 3600)
    }
    return StatusReport(
      version: "librenms-dispatcher 1", pid: 1, base: "/opt/librenms", node: "id", name: "name", uptime: 1, phase: "working",
      summary: String(repeating: "poller ", count: 30), healthy: false, epoch: 1,
      warnings: [String(repeating: "figures and a way out ", count: 20)], types: [poller, off], jobs: list)
  }

  @Test(arguments: [0, 1, 500])
  func itIsReadableAtAHundredColumns(jobs: Int) {
    let lines = StatusTable.render(report(jobs: jobs)).split(separator: "\n", omittingEmptySubsequences: false)
    #expect(lines.allSatisfy { $0.count <= 100 }, "\(lines.filter { $0.count > 100 })")
    #expect(lines.count < 50)
  }

  @Test func itShowsWhatMattersAndTheLongestJobsFirst() {
    let text = StatusTable.render(report(jobs: 500))
    #expect(text.contains("NOT HEALTHY: poller") && text.contains("300k/307k 98%") && text.contains("disabled"))
    #expect(text.contains("1000499") && !text.contains("1000001") && text.contains("and 470 more"))
    #expect(text.contains("\nwarning: figures and a way out") && text.contains("\n  figures"))
    #expect(StatusTable.render(report(jobs: 0)).contains("no job runs"))
  }
}
