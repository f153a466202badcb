import Testing

@testable import Supervisor

@Suite struct ControlGroupPlanTests {
  private typealias Plan = ControlGroupPlan

  private static let memory = Plan.Limit(
    setting: "P_MEMORY_MAX", text: "512M", controller: "memory", file: "memory.max", value: "536870912")
  private static let tasks = Plan.Limit(setting: "P_TASKS_MAX", text: "9", controller: "pids", file: "pids.max", value: "9")
  private static let quota = Plan.Limit(setting: "D_CPU_QUOTA", text: "50%", controller: "cpu", file: "cpu.max", value: "50000 100000")

  private static func unset(_ limit: Plan.Limit) -> Plan.Limit {
    var copy = limit
    copy.text = nil
    copy.value = "max"
    return copy
  }

  private static let free = [
    Plan.Group(name: "poller", limits: [unset(memory), unset(tasks)]), Plan.Group(name: "discovery", limits: [unset(quota)]),
  ]
  private static let limited = [
    Plan.Group(name: "poller", limits: [memory, unset(tasks)]), Plan.Group(name: "discovery", limits: [quota]),
  ]
  private static let everything: Set<String> = ["cpu", "io", "memory", "pids"]

  private static func machine(_ change: (inout Plan.Machine) -> Void = { _ in }) -> Plan.Machine {
    var machine = Plan.Machine(name: "librenms.service", controllers: everything, processes: [.init(pid: 10, resident: .supervisor)])
    change(&machine)
    return machine
  }

  @Test func withoutLimitsNothingIsTouched() {
    #expect(Plan.make(Self.free, on: Self.machine()) == Plan())
    #expect(Plan.make(Self.free, on: nil) == Plan())
    #expect(Plan.make(Self.free, on: Self.machine { $0.controllers = [] }) == Plan())
  }

  @Test func groupsComeFirstThenEverybodyLeavesThenControllersThenLimits() {
    let plan = Plan.make(Self.limited, on: Self.machine())
    #expect(
      plan.actions == [
        .make(group: "supervisor"), .make(group: "daemons"), .make(group: "poller"), .make(group: "discovery"),
        .move(pid: 10, group: "supervisor"), .enable(controller: "cpu"), .enable(controller: "memory"),
        .write(Self.memory, group: "poller"),
        .write(Self.quota, group: "discovery"),
      ])
    #expect(plan.usesGroups && plan.missing.isEmpty && plan.reason == nil)
  }

  @Test func afterARestartGroupsAreUsedAgainAndLimitsWrittenAnew() {
    let machine = Self.machine {
      $0.groups = ["supervisor", "daemons", "poller", "discovery"]
      $0.processes.append(.init(pid: 11, resident: .script(group: "poller")))
      $0.processes.append(.init(pid: 12, resident: .daemon))
      $0.processes.append(.init(pid: 13, resident: .unknown))
    }
    #expect(
      Plan.make(Self.limited, on: machine).actions == [
        .move(pid: 10, group: "supervisor"), .move(pid: 11, group: "poller"), .move(pid: 12, group: "daemons"),
        .move(pid: 13, group: "daemons"), .enable(controller: "cpu"), .enable(controller: "memory"), .write(Self.memory, group: "poller"),
        .write(Self.quota, group: "discovery"),
      ])
  }

  @Test func aReloadWritesAllLimitsAndDropsControllersThatNobodyNeeds() {
    let machine = Self.machine {
      $0.groups = ["supervisor", "daemons", "poller", "discovery"]
      $0.processes = []
      $0.enabled = ["memory", "pids", "cpu"]
    }
    #expect(
      Plan.make(Self.limited, on: machine).actions == [
        .disable(controller: "pids"), .write(Self.memory, group: "poller"), .write(Self.quota, group: "discovery"),
      ])
    let none = Plan.make(Self.free, on: machine)
    #expect(none.actions == [.disable(controller: "cpu"), .disable(controller: "memory"), .disable(controller: "pids")])
    #expect(none.usesGroups, "scripts go on into the groups that are there")
  }

  @Test func aLimitThatIsTakenBackIsWrittenAsTheDefault() {
    let machine = Self.machine {
      $0.groups = ["supervisor", "daemons", "poller", "discovery"]
      $0.enabled = ["memory"]
      $0.processes = []
    }
    let wanted = [Plan.Group(name: "poller", limits: [Self.unset(Self.memory)]), Plan.Group(name: "discovery", limits: [Self.memory])]
    #expect(
      Plan.make(wanted, on: machine).actions == [.write(Self.unset(Self.memory), group: "poller"), .write(Self.memory, group: "discovery")])
  }

  @Test(
    arguments: [
      (nil, "version 2"), (machine { $0.controllers = [] }, "no controller is given"),
      (machine { $0.isDelegated = false }, "systemd keeps"),
      (
        machine {
          $0.name = "session-3.scope"
          $0.isOurUnit = false
          $0.processes.append(.init(pid: 99, resident: .unknown))
        }, "process 99"
      ),
      (
        // A terminal of a desktop is a service of the user's systemd, with the shell that started us in it.
        machine {
          $0.name = "app-konsole@1.service"
          $0.isOurUnit = false
          $0.processes.append(.init(pid: 99, resident: .unknown))
        }, "process 99"
      ),
    ] as [(ControlGroupPlan.Machine?, String)])
  func whereNothingCanBeDoneNothingIsDoneAndThatIsSaid(machine: ControlGroupPlan.Machine?, part: String) {
    let plan = Plan.make(Self.limited, on: machine)
    #expect(plan.actions.isEmpty && !plan.usesGroups)
    let (lost, reason) = plan.unapplied([])
    #expect(lost == [Self.memory, Self.quota])
    let line = Plan.complaint(lost, reason) ?? ""
    for word in [part, "P_MEMORY_MAX=512M, D_CPU_QUOTA=50%", "Delegate=yes", "version 2"] { #expect(line.contains(word), "\(line)") }
  }

  @Test func aMissingControllerCostsItsLimitsAlone() {
    let plan = Plan.make(Self.limited, on: Self.machine { $0.controllers = ["memory"] })
    #expect(plan.actions.contains(.write(Self.memory, group: "poller")))
    let (lost, reason) = plan.unapplied([])
    #expect(lost == [Self.quota])
    #expect(reason == "there is no controller cpu")
    let none = Plan.make(Self.limited, on: Self.machine { $0.controllers = ["hugetlb"] })
    #expect(none.actions.isEmpty && !none.usesGroups && none.missing == [Self.memory, Self.quota])
  }

  @Test(
    arguments: [
      (.make(group: "supervisor"), [memory, quota]), (.make(group: "poller"), [memory]), (.move(pid: 10, group: "supervisor"), []),
      (.enable(controller: "memory"), [memory]), (.disable(controller: "io"), []), (.write(memory, group: "poller"), [memory]),
      (.write(unset(memory), group: "poller"), []),
    ] as [(ControlGroupPlan.Action, [ControlGroupPlan.Limit])])
  func afterAFailureItIsKnownWhichLimitsAreNotInForce(action: ControlGroupPlan.Action, expected: [ControlGroupPlan.Limit]) {
    let (lost, reason) = Plan.make(Self.limited, on: Self.machine()).unapplied([.init(action: action, reason: "because")])
    #expect(lost == expected)
    #expect(reason == (expected.isEmpty ? nil : "because"))
  }

  @Test func oneFailureIsNotToldTwice() {
    let plan = Plan.make(Self.limited, on: Self.machine())
    let failures = [
      Plan.Failure(action: .enable(controller: "memory"), reason: "first"),
      Plan.Failure(action: .write(Self.memory, group: "poller"), reason: "second"),
    ]
    let (lost, reason) = plan.unapplied(failures)
    #expect(lost == [Self.memory] && reason == "first")
    #expect(Plan.complaint([], nil) == nil)
  }
}
