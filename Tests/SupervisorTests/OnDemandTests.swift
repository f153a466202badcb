import Core
import Fixture
import FoundationEssentials
import Testing

@testable import Supervisor

@Suite struct OnDemandTextTests {
  private static let owner = "web-1-8f0e7c1a-1b2c-8d3e-9f40-5a6b7c8d9e0f-Poller_0-3"
  private static func lock(remaining: Duration? = nil, age: Duration? = nil, estimated: Bool = false, running: Bool?) -> LockReport {
    LockReport(name: "poller.device.42", owner: owner, remaining: remaining, age: age, isAgeEstimated: estimated, isRunning: running)
  }

  @Test(
    arguments: [
      (.queued(group: nil), "queued first", true),
      (.queued(group: 3), "queued first, for a node that serves poller group 3", true),
      (.lifted(group: nil), "was waiting, now first", true),
      (.running(lock(age: .seconds(12), running: true)), "running since 12 s on web-1 (owner \(owner))", true),
      (
        .running(lock(remaining: .seconds(50), age: .seconds(12), estimated: true, running: true)),
        "running since about 12 s on web-1 (owner \(owner))", true
      ),
      (
        .locked(lock(remaining: .seconds(280), age: .seconds(20), estimated: true, running: nil)),
        "not queued: locked since about 20 s by web-1 (owner \(owner)); free in 4 min at the latest", false
      ),
      (
        .locked(lock(remaining: .seconds(60), running: false)),
        "not queued: its lock is kept after a run on web-1 (owner \(owner)); free in 60 s at the latest", false
      ),
      (.noSuchDevice, "no such device", false),
      (.disabled, "disabled: it would be skipped; enable the device first", false),
      (.notServed(group: 9), "not queued: it is in poller group 9, which this node does not serve; ask on a node that does", false),
      (.refused("Redis is\naway"), "not queued: Redis is away", false),
    ] as [(OnDemandResult.Outcome, String, Bool)])
  func eachOutcomeHasItsLine(_ outcome: OnDemandResult.Outcome, _ text: String, _ underWay: Bool) throws {
    let result = OnDemandResult(payload: "42", outcome: outcome)
    #expect(OnDemandText.line(result, .poller) == "poller 42: " + text)
    #expect(result.isUnderWay == underWay)
    let copy = try MessageCodec.decode(
      Upward.self, from: Array(try MessageCodec.encode(Upward.enqueued(number: 1, results: [result])).dropFirst(4)))
    #expect(copy == .enqueued(number: 1, results: [result]))
  }

  @Test(arguments: [
    (owner, "web-1", 2 as Int?, true),
    ("web-1-8f0e7c1a-1b2c-8d3e-9f40-5a6b7c8d9e0f", "web-1", nil, true),
    ("py-dd3b1a02-1b2c-11ee-9f40-5a6b7c8d9e0f-Discovery_2-1", "py", 0, false),
  ])
  func anOwnerIsTakenApart(_ text: String, _ node: String, _ slot: Int?, _ isOurs: Bool) {
    let owner = LockOwner(text)
    #expect(owner?.node == node && owner?.slot == slot && owner?.isOurs == isOurs)
  }

  @Test(arguments: [
    "", "-", "x", "Unnamed Lock", "a-b-c", "a-8f0e7c1a-1b2c-8d3e-9f40-5a6b7c8d9e0f-Poller_0-0", "8f0e7c1a-1b2c-8d3e-9f40-5a6b7c8d9e0f",
  ])
  func otherTextsAreNoOwners(_ text: String) { #expect(LockOwner(text) == nil) }

  @Test func theLongestAnswersFitIntoOneMessage() throws {
    // Scalars of four bytes: nothing is longer in JSON.
    let text = String(repeating: "\u{1F600}", count: 1000)
    let lock = LockReport(name: text, owner: text, remaining: .seconds(1), age: .seconds(1)).bounded
    let results = (0..<OperatorRequest.deviceLimit).map { OnDemandResult(payload: "\(Int64.max - Int64($0))", outcome: .locked(lock)) }
    #expect(try MessageCodec.encode(Upward.enqueued(number: 1, results: results)).count < FrameDecoder.upwardLimit)
    let locks = [LockReport](repeating: LockReport(name: text, owner: text, remaining: .seconds(1)), count: LockPage.limit)
    let pages = LockPage.pages(of: locks, omitted: 5)
    #expect(pages.map(\.locks.count).reduce(0, +) == LockPage.limit)
    #expect(pages.dropLast().allSatisfy { $0.more && $0.omitted == 0 } && pages.last?.more == false && pages.last?.omitted == 5)
    for page in pages { #expect(try MessageCodec.encode(Upward.locks(number: 1, page: page)).count < FrameDecoder.upwardLimit) }
    let devices = (0..<OperatorRequest.deviceLimit).map { Int64.max - Int64($0) }
    #expect(try JSONEncoder().encode(OperatorRequest(command: .discover, devices: devices)).count < 4096)
  }
}

@Suite struct LockListTests {
  private let uuid = "8f0e7c1a-1b2c-8d3e-9f40-5a6b7c8d9e0f"

  @Test func agesAreExactForOwnJobsAndElseByTheLifetime() {
    let owner = "n1-\(uuid)-Poller_0-1"
    let list = LockList(
      [
        LockReport(name: "poller.device.10", owner: owner, remaining: .seconds(250)),
        LockReport(name: "poller.device.9", owner: "n2-\(uuid)-Poller_0-1", remaining: .seconds(250)),
        LockReport(name: "poller.device.8", owner: "n2-\(uuid)-Poller_0-1", remaining: .seconds(900)),
        LockReport(name: "dispatch.master", owner: "n2-\(uuid)", remaining: .seconds(19)),
        LockReport(name: "poller.device.7", owner: owner, remaining: .seconds(30), isRunning: false),
        LockReport(name: "x\u{1B}[31m", owner: "stranger"),
      ], omitted: 4, own: [LockList.OwnJob(lock: "librenms.lock:poller.device.10", owner: owner, age: .seconds(70))]
    ) { $0.hasPrefix("poller.") ? .seconds(300) : nil }
    #expect(
      list.locks.map(\.lock) == [
        "dispatch.master", "poller.device.7", "poller.device.8", "poller.device.9", "poller.device.10", "x\\x1b[31m",
      ])
    #expect(list.locks.map(\.age) == [nil, nil, nil, 50, 70, nil])
    #expect(list.locks.map(\.ageIsEstimated) == [false, false, false, true, false, false])
    #expect(list.locks.map(\.running) == [nil, false, nil, nil, true, nil])
    #expect(list.locks.map(\.node) == ["n2", "n1", "n2", "n2", "n1", nil])
    let lines = list.render().split(separator: "\n").map(String.init)
    #expect(lines.count == 8 && lines.last == "and 4 more")
    #expect(lines[0].hasPrefix("LOCK") && lines[4].contains("about 50s"))
    #expect(lines[5].contains("running") && lines[5].contains("70s") && !lines[5].contains("about"))
  }

  @Test func noLocksAreSaid() {
    #expect(LockList([], omitted: 0, own: []) { _ in nil }.render() == "no lock is held\n")
  }
}

@Suite(.serialized) struct OnDemandServiceTests {
  @Test func whatAnOperatorAsksForGoesToTheChildOfTheTypeAndIsToldLineByLine() throws {
    try Stage.play(["configd": "ok ping=off"]) { stage in
      try stage.start()
      try stage.awaitReady()
      let good = try stage.command("poll", "42", "007", "8", "42")
      #expect(good.ending == .exited(0), "\(good)")
      let lines = good.output.split(separator: "\n").map(String.init)
      #expect(
        lines.first == "poller 42: queued first" && lines.last == "poller 8: was waiting, now first, for a node that serves poller group 3")
      #expect(lines.count == 3 && lines[1].hasPrefix("poller 7: running since 12 s on n2 (owner n2-"))
      #expect(stage.received.contains("poller enqueue 42,7,8"))
      let bad = try stage.command("discover", "42", "404")
      #expect(bad.ending == .exited(1) && bad.output == "discovery 42: queued first\ndiscovery 404: no such device\n", "\(bad)")
      #expect(stage.received.contains("discovery enqueue 42,404"))
      #expect(try stage.child("poller").restarts == 0)
    }
  }

  @Test func manyDevicesAreAskedForInParts() throws {
    try Stage.play { stage in
      try stage.start()
      try stage.awaitReady()
      let answer = try Fixture.ChildProcess.run(
        [SampleNode.dispatcherPath, "poll"] + (1000..<1120).map(String.init) + ["--base", stage.base],
        environment: ["RUNTIME_DIRECTORY": stage.runtime], directory: stage.base, limit: .seconds(30))
      #expect(answer.ending == .exited(0) && answer.output.split(separator: "\n").count == 120, "\(answer)")
      #expect(stage.received.count { $0.hasPrefix("poller enqueue") } == 3)
    }
  }

  @Test func aChildThatEndsInsteadOfAnsweringIsSaidAtOnce() throws {
    try Stage.play(["poller": "bolt"]) { stage in
      try stage.start()
      try stage.awaitReady()
      let answer = try stage.command("poll", "42")
      #expect(answer.ending == .exited(1) && answer.errors.contains("poller 42 not queued: the poller child ended"), "\(answer)")
      #expect(try stage.command("discover", "42").ending == .exited(0))
    }
  }

  @Test func withoutAServiceOrWithADisabledTypeTheWayOutIsNamed() throws {
    try Stage.play(["configd": "ok discovery=off"]) { stage in
      for words in [["poll", "42"], ["discover", "42"], ["locks"]] {
        let answer = try words.count > 1 ? stage.command(words[0], words[1]) : stage.command(words[0])
        #expect(answer.ending == .exited(1) && answer.errors.contains("no dispatcher runs for"), "\(answer)")
        #expect(answer.errors.contains("In a cluster, ask on any node whose dispatcher runs"), "\(answer)")
      }
      try stage.start()
      try stage.awaitReady()
      let off = try stage.command("discover", "42")
      #expect(off.ending == .exited(1) && off.errors.contains("discovery is disabled on this node"), "\(off)")
    }
  }

  @Test func locksOfAllChildrenAreListedAndAMissingPartIsAFailure() throws {
    try Stage.play(["configd": "ok ping=off"]) { stage in
      try stage.start()
      try stage.awaitReady()
      let table = try stage.command("locks")
      let lines = table.output.split(separator: "\n").map(String.init)
      #expect(table.ending == .exited(0) && lines.count == 272, "\(table)")
      #expect(lines[1].hasPrefix("discovery.device.1 ") && lines[90].hasPrefix("discovery.device.90 ") && lines.last == "and 9 more")
      let json = try stage.command("locks", "--json")
      let list = try JSONDecoder().decode(LockList.self, from: Data(json.output.utf8))
      #expect(list.locks.count == 270 && list.locks.allSatisfy { $0.node == "n2" && $0.running == false && $0.age == nil })
      try stage.see("status") { try stage.status().phase == "working" }
    }
    try Stage.play(["discovery": "bolt"]) { stage in
      try stage.start()
      try stage.awaitReady()
      let answer = try stage.command("locks")
      #expect(answer.ending == .exited(1) && answer.errors.contains("the discovery child ended"), "\(answer)")
      #expect(answer.output.contains("poller.device.90"))
    }
  }
}
