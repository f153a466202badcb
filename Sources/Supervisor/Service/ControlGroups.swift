import CLinuxShims
import Core
import Glibc
import Logging

/// Puts the scripts of each type into a control group of their own, with their limits, by `ControlGroupPlan`.
///
/// Every step is a write of a few bytes into the kernel's own file system, which does not wait for anything but the kernel.
final class ControlGroups {
  /// A process may be born in the service's group between the look and the step that needs it empty.
  private static let attempts = 5

  private let log: Logger
  private let types: [TaskType]
  /// The service's own group; nil: there is no tree of version 2.
  private let location: ControlGroupLocation?
  /// Whose place is asked for when a process is found in the service's own group.
  var classify: (Int32) -> ControlGroupPlan.Resident = { $0 == getpid() ? .supervisor : .unknown }
  private let isDelegated: (String, String) -> Bool
  private let isOurUnit: () -> Bool
  private var said: String?
  /// `MEMORY_MAX=512M`, by type.
  private(set) var inForce: [TaskType: [String]] = [:]
  private(set) var notInForce: [TaskType: [String]] = [:]
  private var areMade = false

  /// `isDelegated`: whether a directory with this name may be divided; replaced by tests, whose files have no such marks.
  init(
    types: [TaskType], location: ControlGroupLocation?, log: Logger,
    isDelegated: @escaping (String, String) -> Bool = ControlGroups.isDelegated,
    isOurUnit: @escaping () -> Bool = ControlGroups.isOurUnit
  ) {
    self.types = types
    self.log = log
    self.isDelegated = isDelegated
    self.isOurUnit = isOurUnit
    // A process that took this one's place by exec is where its predecessor was.
    if var location, location.directory.hasSuffix("/" + ControlGroupPlan.supervisor) {
      location.directory.removeLast(ControlGroupPlan.supervisor.utf8.count + 1)
      self.location = location
    } else {
      self.location = location
    }
  }

  /// Brings the groups to what the settings want. To be called with each configuration, before children are started under it.
  /// Returns the directory that has them; nil: scripts stay where they are started.
  func apply(_ settings: Settings) -> String? {
    let groups = types.map { Self.group($0, settings.limits[$0]?.resources ?? [:]) }
    var plan = ControlGroupPlan()
    var failures: [ControlGroupPlan.Failure] = []
    for _ in 0..<Self.attempts {
      plan = ControlGroupPlan.make(groups, on: machine())
      failures = carryOut(plan.actions)
      let isBusy = failures.contains { if case .enable = $0.action { true } else { false } }
      if !isBusy { break }
    }
    let (lost, reason) = plan.unapplied(failures)
    report(settings, lost: lost, reason: reason)
    areMade = plan.usesGroups && !failures.contains { if case .make = $0.action { true } else { false } }
    return areMade ? location?.directory : nil
  }

  /// Starts a child or the configuration helper, in the daemons' group if there is one.
  func startDaemon(_ program: Program) throws(SystemError) -> Int32 {
    guard areMade, let location else { return try program.startForReaper() }
    var program = program
    let fd = open("\(location.directory)/\(ControlGroupPlan.daemons)", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    // Without it the daemon stays in the supervisor's group, which has no limits either.
    program.cgroup = fd < 0 ? nil : fd
    defer { if fd >= 0 { close(fd) } }
    return try program.startForReaper()
  }

  private static func group(_ type: TaskType, _ limits: [Resource: ResourceLimit]) -> ControlGroupPlan.Group {
    let all = Resource.allCases.map { resource in
      ControlGroupPlan.Limit(
        setting: resource.setting(type), text: limits[resource]?.text, controller: resource.controller, file: resource.file,
        value: limits[resource]?.value ?? resource.unlimited)
    }
    return ControlGroupPlan.Group(name: type.rawValue, limits: all)
  }

  private func report(_ settings: Settings, lost: [ControlGroupPlan.Limit], reason: String?) {
    inForce = [:]
    notInForce = [:]
    for type in types {
      for resource in Resource.allCases {
        guard let limit = settings.limits[type]?.resources[resource] else { continue }
        let words = "\(resource.rawValue)=\(limit.text)"
        if lost.contains(where: { $0.setting == resource.setting(type) }) {
          notInForce[type, default: []].append(words)
        } else {
          inForce[type, default: []].append(words)
        }
      }
    }
    let complaint = ControlGroupPlan.complaint(lost, reason)
    if let complaint, complaint != said { log.warning("\(complaint)") }
    if complaint == nil, said != nil { log.notice("all limits of scripts are in force") }
    said = complaint
  }

  // MARK: The kernel's files

  private func machine() -> ControlGroupPlan.Machine? {
    guard let location, let offered = words("cgroup.controllers") else { return nil }
    let name = location.directory.split(separator: "/").last.map(String.init) ?? "/"
    var machine = ControlGroupPlan.Machine(name: name, controllers: offered, enabled: words("cgroup.subtree_control") ?? [])
    machine.isDelegated = isDelegated(location.directory, name)
    machine.isOurUnit = name.hasSuffix(".service") && isOurUnit()
    for group in [ControlGroupPlan.supervisor, ControlGroupPlan.daemons] + types.map(\.rawValue) {
      if access("\(location.directory)/\(group)/cgroup.procs", F_OK) == 0 { machine.groups.insert(group) }
    }
    machine.processes = (words("cgroup.procs", limit: 256 * 1024) ?? []).compactMap { Int32($0) }.sorted().map {
      ControlGroupPlan.Process(pid: $0, resident: classify($0))
    }
    return machine
  }

  /// A terminal may be a service of the user's own systemd too: there the shell that started us is not ours to move. Before 248 systemd has
  /// no such variable; then its own child is the main process.
  static func isOurUnit() -> Bool {
    guard let main = ScriptEnvironment.value("SYSTEMD_EXEC_PID") else { return getppid() == 1 }
    return main == "\(getpid())"
  }

  /// systemd marks what it gives away, which counts for root, whom no permission stops. Others are stopped by the kernel.
  static func isDelegated(_ directory: String, _ name: String) -> Bool {
    guard geteuid() == 0, [".service", ".scope", ".slice"].contains(where: { name.hasSuffix($0) }) else { return true }
    return ["trusted.delegate", "user.delegate"].contains { attribute in
      var byte: UInt8 = 0
      return shim_attribute(directory, attribute, &byte, 1) == 1 && byte == UInt8(ascii: "1")
    }
  }

  private func words(_ file: String, limit: Int = 4096) -> Set<String>? {
    guard let location, let text = FileText.read("\(location.directory)/\(file)", limit: limit) else { return nil }
    return Set(text.split { $0 == " " || $0 == "\n" }.map(String.init))
  }

  private func carryOut(_ actions: [ControlGroupPlan.Action]) -> [ControlGroupPlan.Failure] {
    guard let directory = location?.directory else { return [] }
    var failures: [ControlGroupPlan.Failure] = []
    for action in actions {
      do throws(SystemError) {
        try carryOut(action, in: directory)
      } catch {
        // The process has ended meanwhile.
        if case .move = action, error.number == ESRCH { continue }
        failures.append(ControlGroupPlan.Failure(action: action, reason: "\(error)"))
      }
    }
    return failures
  }

  private func carryOut(_ action: ControlGroupPlan.Action, in directory: String) throws(SystemError) {
    switch action {
    case .make(let group):
      let path = "\(directory)/\(group)"
      if mkdir(path, 0o755) != 0, errno != EEXIST { throw SystemError("mkdir \(path)") }
    case .move(let pid, let group): try write("\(pid)", to: "\(directory)/\(group)/cgroup.procs")
    case .enable(let controller): try write("+\(controller)", to: "\(directory)/cgroup.subtree_control")
    case .disable(let controller): try write("-\(controller)", to: "\(directory)/cgroup.subtree_control")
    case .write(let limit, let group):
      do throws(SystemError) {
        try write(limit.value, to: "\(directory)/\(group)/\(limit.file)")
      } catch {
        // A default that can't be written is in force anyway: the kernel has no such file.
        if limit.text != nil { throw error }
      }
    }
  }

  private func write(_ text: String, to path: String) throws(SystemError) {
    // Without O_CREAT, which these files refuse. Non-blocking: a limit below what is in use is otherwise reclaimed by the writer, which may
    // take seconds; since Linux 6.16 whoever allocates next does it.
    let fd = open(path, O_WRONLY | O_CLOEXEC | O_NONBLOCK)
    guard fd >= 0 else { throw SystemError("open \(path)") }
    defer { close(fd) }
    var text = text
    let written = text.withUTF8 { Glibc.write(fd, $0.baseAddress, $0.count) }
    if written < 0 { throw SystemError("write \(text) to \(path)") }
  }
}
