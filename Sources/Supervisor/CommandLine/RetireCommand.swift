import ArgumentParser
import Core
import Glibc

/// `retire`: takes this node out of LibreNMS's tables of the cluster. Refused while anything here would write its rows again.
struct RetireCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "retire", abstract: "Remove this node from LibreNMS's list of pollers; its service has to be stopped.")

  @OptionGroup var node: NodeOptions

  func run() throws {
    let base = try node.resolveBase()
    try refuseWhileServing(base)
    // Held over the exec until the end of the helper: no service can start in between.
    let lock = try holdLock(base)
    try withExtendedLifetime(lock) { try ConfigurationHelper.replaceThisProcess("retire", node, base: base) }
  }

  private static let wayOut = "Stop it first (systemctl stop librenms), or it adds the rows again with its next report"

  private func refuseWhileServing(_ base: String) throws {
    do throws(OperatorClient.Failure) {
      let pid = try OperatorClient(base: base).ask(OperatorRequest(command: .status), limit: .seconds(5)).status?.pid
      throw OperatorClient.Failure.refused("the dispatcher of \(base) runs\(pid.map { " as process \($0)" } ?? ""). \(Self.wayOut)")
    } catch {
      switch error {
      case .notRunning: break
      case .refused(let why): throw Refusal(1, why)
      case .noAnswer, .system: throw Refusal(1, "the dispatcher of \(base) runs, and \(error). \(Self.wayOut)")
      }
    }
    if let pid = Self.instance(base) { throw Refusal(1, "an instance of the dispatcher runs as process \(pid) (-m). \(Self.wayOut)") }
  }

  private func holdLock(_ base: String) throws -> InstanceLock? {
    do throws(InstanceLock.Refusal) { return try InstanceLock.hold(base: base) } catch {
      throw Refusal(1, "\(error). \(Self.wayOut)")
    }
  }

  /// One that was started with `-m` takes no lock; its folder in the runtime directory has its process id in the name.
  private static func instance(_ base: String) -> Int32? {
    let prefix = RuntimeDirectory.name(base: base) + "-"
    let parents = RuntimeDirectory.candidates(runtimeDirectory: ScriptEnvironment.value("RUNTIME_DIRECTORY"), user: geteuid())
    for parent in parents {
      guard let entries = opendir(parent) else { continue }
      defer { closedir(entries) }
      while let entry = readdir(entries) {
        let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        guard name.hasPrefix(prefix), let pid = Int32(name.dropFirst(prefix.count)), pid > 0 else { continue }
        // After a crash the folder stays and the number may be anybody's.
        let program = FileText.read("/proc/\(pid)/cmdline", limit: 4096)?.prefix { $0 != "\0" } ?? ""
        if program.hasSuffix("librenms-dispatcher") { return pid }
      }
    }
    return nil
  }
}
