import Core
import Fixture
import Glibc
import Logging
import Testing

@testable import JobKit

@Suite struct MemoryGatePolicyTests {
  @Test(
    arguments: [
      // Threshold, what is in use at each look, and whether the gate is open after it.
      (95, [50, 94.9, 95, 94.9, 90, 85.1, 85, 94, 96, 84], [true, true, false, false, false, false, true, true, false, true]),
      (95, [nil, 99, nil], [true, false, true]), (nil, [99, 100, 120], [true, true, true]), (5, [6, 2, 1], [false, false, true]),
      (100, [99.9, 100, 91, 90], [true, false, false, true]), (95, [130, .nan], [false, false]), (1, [0.5, 1, 1], [true, false, true]),
    ] as [(Int?, [Double?], [Bool])])
  func itClosesAtTheThresholdAndOpensTenPointsLower(threshold: Int?, looks: [Double?], expected: [Bool]) {
    var policy = MemoryGatePolicy(threshold: threshold)
    var before = true
    for (look, open) in zip(looks, expected) {
      let change = policy.observe(used: look)
      #expect(policy.isOpen == open, "\(String(describing: look)) of \(String(describing: threshold))")
      #expect(change == (open == before ? nil : open ? .opened : .closed), "each change is told once")
      before = open
    }
  }

  @Test func turnedOffWhileClosedItOpens() {
    var policy = MemoryGatePolicy(threshold: 95)
    #expect(policy.observe(used: 99) == .closed)
    policy.change(threshold: nil)
    #expect(policy.observe(used: 99) == .opened)
  }

  @Test(arguments: [(0, 0), (1, 1), (24, 1)]) func aClosedGateLeavesOneSlot(slots: Int, expected: Int) {
    var policy = MemoryGatePolicy(threshold: 95)
    #expect(policy.allowed(slots) == slots)
    _ = policy.observe(used: 100)
    #expect(policy.allowed(slots) == expected)
  }

  @Test(
    arguments: [(0, 0, 0, nil), (50, 0, 100, 50), (90, 60, 100, 30), (10, 20, 100, 0), (300, 0, 100, 300)]
      as [(UInt64, UInt64, UInt64, Double?)])
  func cacheIsNoPressure(used: UInt64, cache: UInt64, limit: UInt64, expected: Double?) {
    #expect(MemoryGatePolicy.percent(used: used, cache: cache, limit: limit) == expected)
  }

  @Test(arguments: [(0, 0, nil), (25, 100, 75), (200, 100, 0)] as [(UInt64, UInt64, Double?)])
  func whatIsAvailableIsNotInUse(available: UInt64, total: UInt64, expected: Double?) {
    #expect(MemoryGatePolicy.percent(available: available, total: total) == expected)
  }
}

@Suite struct MemoryGaugeTests {
  /// Files as the kernel writes them, in a directory of our own.
  private final class Tree {
    let directory: TemporaryDirectory
    var top: String { directory.path + "/cgroup" }

    init() throws {
      directory = try TemporaryDirectory()
      try write("meminfo", "MemTotal:       1000 kB\nMemFree:          10 kB\nMemAvailable:    400 kB\n")
    }

    func write(_ path: String, _ text: String) throws {
      var folder = directory.path
      for part in path.split(separator: "/").dropLast() {
        folder += "/" + part
        mkdir(folder, 0o700)
      }
      try writeText(text, to: "\(directory.path)/\(path)", mode: 0o600)
    }

    func group(_ path: String, max: String, current: Int, file: Int) throws {
      try write("cgroup/\(path)/memory.max", max + "\n")
      try write("cgroup/\(path)/memory.current", "\(current)\n")
      try write("cgroup/\(path)/memory.stat", "anon 1\nfile 2\ninactive_file \(file)\nactive_file \(file)\n")
    }

    func gauge(_ path: String, scripts: String? = nil, v1: String? = nil) -> MemoryGauge {
      var gauge = MemoryGauge(
        unified: ControlGroupLocation(top: top, directory: "\(top)/\(path)"),
        memoryV1: v1.map { ControlGroupLocation(top: top, directory: "\(top)/\($0)") }, scripts: scripts.map { "\(top)/\($0)" })
      gauge.machine = directory.path + "/meminfo"
      return gauge
    }
  }

  @Test func theFullestGroupWithALimitCounts() throws {
    let tree = try Tree()
    try tree.group("a.slice", max: "1000", current: 700, file: 100)
    try tree.group("a.slice/b.service", max: "max", current: 700, file: 0)
    try tree.group("a.slice/b.service/daemons", max: "max", current: 10, file: 0)
    try tree.group("a.slice/b.service/poller", max: "100", current: 90, file: 5)
    let plain = tree.gauge("a.slice/b.service/daemons").read()
    #expect(plain == .init(used: 50, place: tree.top + "/a.slice"), "700 less 200 of cache, of 1000")
    let scripts = tree.gauge("a.slice/b.service/daemons", scripts: "a.slice/b.service/poller").read()
    #expect(scripts == .init(used: 80, place: tree.top + "/a.slice/b.service/poller"))
  }

  @Test func withoutALimitTheMachineCounts() throws {
    let tree = try Tree()
    try tree.group("b.service", max: "max", current: 700, file: 0)
    #expect(tree.gauge("b.service").read() == .init(used: 60, place: "this machine"))
  }

  @Test func versionOneCountsBeforeTheMachine() throws {
    let tree = try Tree()
    try tree.write("cgroup/memory.limit_in_bytes", "9223372036854771712\n")
    try tree.write("cgroup/memory.usage_in_bytes", "5\n")
    try tree.write("cgroup/x/memory.limit_in_bytes", "1000\n")
    try tree.write("cgroup/x/memory.usage_in_bytes", "900\n")
    try tree.write("cgroup/x/memory.stat", "cache 7\ntotal_inactive_file 100\ntotal_active_file 100\n")
    #expect(tree.gauge("none", v1: "x").read() == .init(used: 70, place: tree.top + "/x"))
    #expect(tree.gauge("none", v1: "y").read()?.place == "this machine")
  }

  @Test(arguments: ["", "MemTotal: 0 kB\nMemAvailable: 0 kB\n", "MemTotal: 5 kB\n", "nonsense\n"]) func whatNobodyKnowsIsUnknown(
    meminfo: String
  ) throws {
    let tree = try Tree()
    try tree.write("meminfo", meminfo)
    #expect(tree.gauge("none").read() == nil)
  }

  @Test func thisMachineHasAnAnswer() throws {
    let reading = try #require(MemoryGauge(scripts: nil).read())
    #expect((0...150).contains(reading.used), "\(reading)")
  }

  @Test func theGateSaysEachChangeOnceAndLooksOnceASecond() throws {
    let tree = try Tree()
    let lines = LogLines()
    var gate = MemoryGate(threshold: 50, log: Logger(label: "test") { _ in lines }) { tree.gauge("none").read() }
    let start = MonotonicTime.now
    gate.look(at: start)
    #expect(!gate.isOpen)
    try tree.write("meminfo", "MemTotal: 1000 kB\nMemAvailable: 900 kB\n")
    gate.look(at: start + .milliseconds(900))
    #expect(!gate.isOpen, "not looked at yet")
    gate.look(at: start + .seconds(1))
    gate.look(at: start + .seconds(2))
    #expect(gate.isOpen)
    #expect(lines.all.count == 2)
    #expect(lines.all.first?.contains("60 % of the memory of this machine") == true, "\(lines.all)")
  }
}

@Suite struct ScriptGroupTests {
  @Test func killsAreReadFromTheKernelsFile() {
    let text = "low 0\nhigh 3\nmax 12\noom 2\noom_kill 5\noom_group_kill 0\n"
    #expect(ScriptGroup.kills(in: text) == .init(atLimit: 2, killed: 5))
    #expect(ScriptGroup.kills(in: "nonsense") == .init())
  }

  @Test(
    arguments: [
      (.init(), .init(), nil), (.init(atLimit: 1, killed: 1), .init(atLimit: 1, killed: 1), nil),
      (.init(), .init(atLimit: 1, killed: 1), "killed for its memory, X=1M"),
      (.init(atLimit: 4, killed: 1), .init(atLimit: 4, killed: 2), "killed for its memory: the service or the machine has too little"),
      // The limits were set anew: the kernel counts from zero.
      (.init(atLimit: 9, killed: 9), .init(atLimit: 1, killed: 1), "killed for its memory, X=1M"), (nil, .init(), nil),
      (nil, .init(atLimit: 1, killed: 1), "killed for its memory, X=1M"), (.init(), nil, nil),
    ] as [(ScriptGroup.Kills?, ScriptGroup.Kills?, String?)])
  func onlyAKillSinceTheStartIsAReason(before: ScriptGroup.Kills?, after: ScriptGroup.Kills?, expected: String?) {
    #expect(ScriptGroup.reason(before: before, after: after, limit: "X=1M") == expected)
  }
}
