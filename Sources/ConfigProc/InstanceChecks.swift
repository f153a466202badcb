import CLinuxShims
import Core
import Glibc

/// Looks for what already polls from this directory.
struct InstanceChecks {
  let base: String
  /// Process ids of the Python service.
  private let services: [Int32]
  /// Who holds the lock of the contract; nil = nobody.
  let holder: Int32?

  /// Looks at once, with the rights of now.
  init(base: String) {
    self.base = base
    services = PythonService.find(base: base)
    holder = Self.lockHolder(base)
  }

  /// The user whose process works here.
  var serviceUser: ServiceUser { ServiceUser.find(base: base, holder: holder ?? services.first) }

  var checks: [Check] {
    let wayOut = "stop and disable it (systemctl disable --now librenms.service) before the dispatcher is started"
    var checks: [Check] = services.map { .fail("instance", "librenms-service.py runs as process \($0)", wayOut) }
    if let holder, !services.contains(holder) {
      let words = PythonService.arguments(of: holder)
      let name = words.first?.split(separator: "/").last.map(String.init) ?? "another process"
      checks.append(
        name.hasPrefix("librenms-dispatcher")
          ? dispatcher(holder)
          : .fail("instance", "\(base)/.lock.service is held by process \(holder) (\(name))", "stop that process, or use --multiple"))
    }
    return checks.isEmpty ? [.ok("instance", "no other instance runs from \(base)")] : checks
  }

  private func dispatcher(_ pid: Int32) -> Check {
    let text = "the dispatcher is running as process \(pid)"
    guard let health = RunningService.health(base: base, runtimeDirectory: ScriptEnvironment.value("RUNTIME_DIRECTORY")) else {
      return .warn(
        "instance", "\(text), but does not answer here",
        "run this as the user of the service or as root; if that was so, restart the service")
    }
    if health.isWell { return .ok("instance", "\(text): \(health.text)") }
    return .fail("instance", "\(text) and does not do its work: \(health.text)", "see `librenms-dispatcher status` and its log")
  }

  private static func lockHolder(_ base: String) -> Int32? {
    let descriptor = open(base + "/.lock.service", O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    let holder = shim_lock_holder(descriptor)
    return holder == 0 ? nil : holder
  }
}
