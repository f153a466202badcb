/// What is to be done so that the scripts of each type run under their limits: groups below the service's own, one for the scripts of each
/// type, one for the supervisor and one for all daemons.
///
/// In version 2 a group that has processes can't give controllers to groups below it, so nobody stays in the service's own group; and the
/// kernel may kill any process of a group that is over its limit, so no daemon is in a group with limits.
struct ControlGroupPlan: Equatable, Sendable {
  static let supervisor = "supervisor"
  static let daemons = "daemons"

  struct Limit: Equatable, Sendable {
    /// `DISPATCHER_POLLER_MEMORY_MAX`
    var setting: String
    /// As it was set; nil: it is not, and `value` is the kernel's default.
    var text: String?
    var controller: String
    var file: String
    var value: String

    var words: String { "\(setting)=\(text ?? value)" }
  }

  /// The scripts of one type.
  struct Group: Equatable, Sendable {
    var name: String
    var limits: [Limit]
  }

  /// Where a process that is still in the service's own group belongs.
  enum Resident: Equatable, Sendable {
    case supervisor
    case daemon
    case script(group: String)
    /// Left by an earlier run, or not the service's at all.
    case unknown
  }

  struct Process: Equatable, Sendable {
    var pid: Int32
    var resident: Resident
  }

  /// The service's own group, as it was found.
  struct Machine: Equatable, Sendable {
    /// Its name: `librenms.service`.
    var name: String
    /// Can be given to groups below.
    var controllers: Set<String>
    /// Are given to groups below.
    var enabled: Set<String> = []
    /// Groups below.
    var groups: Set<String> = []
    var processes: [Process] = []
    /// False: systemd has not given the group away (`Delegate=`), and would have it changed under its hands.
    var isDelegated = true
    /// systemd started this process as the main one of a service: nobody is in its group but what it has started.
    var isOurUnit = true
  }

  enum Action: Equatable, Sendable {
    case make(group: String)
    case move(pid: Int32, group: String)
    case enable(controller: String)
    case disable(controller: String)
    case write(Limit, group: String)
  }

  var actions: [Action] = []
  /// The limits that can't be applied, and why none of them can.
  var missing: [Limit] = []
  var reason: String?
  /// The groups are there when the actions have worked: that is where scripts and daemons are to be started.
  var usesGroups = false

  /// `machine`: nil where there is no tree of version 2, or this process is outside of it.
  static func make(_ wanted: [Group], on machine: Machine?) -> ControlGroupPlan {
    let set = wanted.flatMap { $0.limits.filter { $0.text != nil } }
    guard let machine else {
      return ControlGroupPlan(missing: set, reason: set.isEmpty ? nil : "control groups version 2 are not in use here")
    }
    // What an earlier run has limited is set free, where nothing is wanted any more.
    let isManaged = !machine.groups.isDisjoint(with: wanted.map(\.name))
    guard !set.isEmpty || isManaged else { return ControlGroupPlan() }
    guard !machine.controllers.isEmpty else {
      return ControlGroupPlan(missing: set, reason: set.isEmpty ? nil : "no controller is given to the group \(machine.name)")
    }
    guard machine.isDelegated else {
      return ControlGroupPlan(missing: set, reason: set.isEmpty ? nil : "systemd keeps the group \(machine.name) for itself")
    }
    let needed = Set(set.map(\.controller)).intersection(machine.controllers)
    guard !needed.isEmpty || isManaged else { return ControlGroupPlan(missing: set) }
    // A unit's group has nobody in it but the unit; in others (a login, a container) strangers are not to be moved around.
    if let stranger = machine.processes.first(where: { $0.resident == .unknown }), !machine.isOurUnit {
      let reason = "the group \(machine.name) is not this service's alone: process \(stranger.pid) is in it"
      return ControlGroupPlan(missing: set, reason: set.isEmpty ? nil : reason)
    }
    var plan = ControlGroupPlan(usesGroups: true)
    for name in [supervisor, daemons] + wanted.map(\.name) where !machine.groups.contains(name) { plan.actions.append(.make(group: name)) }
    for process in machine.processes { plan.actions.append(.move(pid: process.pid, group: place(process.resident))) }
    for controller in machine.enabled.subtracting(needed).sorted() { plan.actions.append(.disable(controller: controller)) }
    for controller in needed.subtracting(machine.enabled).sorted() { plan.actions.append(.enable(controller: controller)) }
    for group in wanted {
      for limit in group.limits where needed.contains(limit.controller) { plan.actions.append(.write(limit, group: group.name)) }
    }
    plan.missing = set.filter { !needed.contains($0.controller) }
    return plan
  }

  private static func place(_ resident: Resident) -> String {
    switch resident {
    case .supervisor: supervisor
    case .script(let group): group
    case .daemon, .unknown: daemons
    }
  }

  // MARK: What came of it

  struct Failure: Equatable, Sendable {
    var action: Action
    var reason: String
  }

  /// The limits that are not in force after these failures, and a reason for them.
  func unapplied(_ failures: [Failure]) -> (limits: [Limit], reason: String?) {
    var lost = missing
    var why = reason ?? (missing.isEmpty ? nil : Self.absent(missing))
    for failure in failures {
      let concerned = writes.filter { limit, group in
        switch failure.action {
        case .make(let name): name == group || name == Self.supervisor || name == Self.daemons
        case .move, .disable: false
        case .enable(let controller): limit.controller == controller
        case .write(let failed, let name): failed == limit && name == group
        }
      }.map(\.limit).filter { $0.text != nil && !lost.contains($0) }
      guard !concerned.isEmpty else { continue }
      lost += concerned
      why = why ?? failure.reason
    }
    return (lost, why)
  }

  private var writes: [(limit: Limit, group: String)] {
    actions.compactMap { action in
      if case .write(let limit, let group) = action { (limit, group) } else { nil }
    }
  }

  private static func absent(_ limits: [Limit]) -> String {
    let names = Set(limits.map(\.controller)).sorted()
    return "there is no controller \(names.joined(separator: ", "))"
  }

  /// The one line about what could not be applied; nil: all of it was.
  static func complaint(_ limits: [Limit], _ reason: String?) -> String? {
    guard !limits.isEmpty else { return nil }
    let words = limits.map(\.words).joined(separator: ", ")
    return
      "not in force: \(words) (\(reason ?? "unknown reason")). It takes control groups version 2 with these controllers, and a service that may divide its own: Delegate=yes in its unit. Niceness and time limits hold all the same"
  }
}
