import Core
import Fixture
import Glibc
import Logging
import Testing

@testable import Supervisor

/// The effects on a tree of plain files: what is written where, and what is said. The kernel's own is in InstallTests.
@Suite struct ControlGroupsTests {
  private final class Tree {
    let directory: TemporaryDirectory
    let lines = LogLines()
    let groups: ControlGroups
    var unit: String { directory.path + "/librenms.service" }

    init(controllers: String, groups names: [String] = ["supervisor", "daemons", "poller", "ping"]) throws {
      directory = try TemporaryDirectory()
      let unit = directory.path + "/librenms.service"
      mkdir(unit, 0o700)
      for name in names { mkdir("\(unit)/\(name)", 0o700) }
      try writeText(controllers + "\n", to: unit + "/cgroup.controllers")
      for file in ["cgroup.procs", "cgroup.subtree_control"] { try writeText("", to: "\(unit)/\(file)") }
      for name in names {
        for file in ["cgroup.procs"] + Resource.allCases.map(\.file)
        where controllers.contains(file.prefix { $0 != "." }) || file == "cgroup.procs" {
          try writeText("", to: "\(unit)/\(name)/\(file)")
        }
      }
      let lines = self.lines
      groups = ControlGroups(
        types: [.poller, .ping], location: ControlGroupLocation(top: directory.path, directory: unit + "/supervisor"),
        log: Logger(label: "test") { _ in lines }, isDelegated: { _, _ in true }, isOurUnit: { true })
    }

    func text(_ path: String) -> String { readText("\(unit)/\(path)") ?? "none" }
  }

  private func settings(_ limits: [TaskType: [Resource: String]]) -> Settings {
    var settings = Settings(base: "/opt/x", nodeID: "n", pollerName: "n")
    for (type, wanted) in limits {
      var limits = TypeLimits(for: type)
      limits.resources = wanted.mapValues { ResourceLimit(text: $0, value: "value-\($0)") }
      settings.limits[type] = limits
    }
    return settings
  }

  @Test func limitsAreWrittenAndToldAndAProcessInItsLeafFindsTheUnitAboveIt() throws {
    let tree = try Tree(controllers: "memory pids")
    #expect(tree.groups.apply(settings([.poller: [.memoryMax: "64M"]])) == tree.unit)
    #expect(tree.text("poller/memory.max") == "value-64M")
    #expect(tree.text("ping/memory.max") == "max")
    #expect(tree.text("poller/pids.max") == "", "nobody wants that controller")
    #expect(tree.text("cgroup.subtree_control") == "+memory")
    #expect(tree.groups.inForce == [.poller: ["MEMORY_MAX=64M"]] && tree.groups.notInForce.isEmpty)
    #expect(tree.lines.all.isEmpty)
  }

  @Test func whatIsMissingIsSaidOnceAndItsReturnToo() throws {
    let tree = try Tree(controllers: "memory")
    let wanted = settings([.poller: [.memoryMax: "64M", .ioWeight: "5"], .ping: [.ioWeight: "7"]])
    for _ in 0..<3 { _ = tree.groups.apply(wanted) }
    #expect(tree.lines.all.count == 1)
    #expect(
      tree.lines.all.first?.contains(" not in force: DISPATCHER_POLLER_IO_WEIGHT=5, DISPATCHER_PING_IO_WEIGHT=7 (") == true,
      "\(tree.lines.all)")
    #expect(tree.groups.inForce == [.poller: ["MEMORY_MAX=64M"]])
    #expect(tree.groups.notInForce == [.poller: ["IO_WEIGHT=5"], .ping: ["IO_WEIGHT=7"]])
    _ = tree.groups.apply(settings([.poller: [.memoryMax: "64M"]]))
    #expect(tree.lines.all.count == 2)
  }

  @Test func withoutLimitsAndGroupsNothingIsWritten() throws {
    let tree = try Tree(controllers: "memory", groups: [])
    #expect(tree.groups.apply(settings([:])) == nil)
    #expect(tree.text("cgroup.subtree_control") == "")
    #expect(tree.text("poller/cgroup.procs") == "none")
  }
}
