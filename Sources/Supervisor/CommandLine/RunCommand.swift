import ArgumentParser
import CLinuxShims
import Core
import Glibc
import Logging

struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run", abstract: "Run the service in the foreground (default).",
    discussion: """
      SIGTERM, SIGINT and SIGQUIT stop it: no new work, running scripts finish; a second one ends them. SIGHUP reloads the configuration.
      Exit codes: 0 clean stop, 2 refused to start, 3 no usable .env or no NODE_ID.
      """)

  @OptionGroup var node: NodeOptions

  func run() throws {
    ProcessStart.becomeService()
    // Passwords pass through this process on their way from the helper to the children.
    _ = shim_set_undumpable()
    let log = DispatcherLog.shared
    log.bootstrap(identifier: "librenms-dispatcher", timestamps: node.timestamps)
    log.level = node.debug ? .debug : node.verbose ? .info : .warning
    let base = try node.resolveBase()
    let lock = try takeLock(base)
    // The zone's file is read once; nothing of the loop is to be the first to ask for it.
    tzset()
    let code = try serve(base, lock)
    // The lock lives until here.
    withExtendedLifetime(lock) {}
    throw ExitCode(code)
  }

  private func takeLock(_ base: String) throws -> InstanceLock? {
    if node.multiple { return nil }
    do throws(InstanceLock.Refusal) { return try InstanceLock.take(base: base) } catch { throw Refusal(2, error.description) }
  }

  private func serve(_ base: String, _ lock: InstanceLock?) throws -> Int32 {
    let instance = node.multiple ? getpid() : nil
    // Names that may be relative, before the working directory changes.
    let lookup = ExecutableLookup()
    let given = ScriptEnvironment.value("RUNTIME_DIRECTORY").map(Self.absolute)
    let place: RuntimePlace
    do throws(RuntimePlace.Refusal) {
      place = try RuntimePlace(base: base, instance: instance, given: given, lock: lock?.identity)
    } catch {
      throw Refusal(2, error.description)
    }
    let host = LinuxSupervisorHost.Options(place: place, lock: lock, resolverArguments: node.passedOn(base: base), lookup: lookup)
    var options = Supervisor.Options()
    options.healthyThreshold = try healthyThreshold() ?? options.healthyThreshold
    options.log.notice("\(ProductVersion.text) for \(base), runtime directory \(place.directory)")
    if let reason = place.passedOver {
      options.log.warning("RUNTIME_DIRECTORY can't be used (\(reason)): \(place.directory) is used instead")
    }
    for warning in ProcessStart.limitWarnings() { options.log.warning("\(warning)") }
    // Not the starter's directory, which could never be unmounted.
    if chdir(base) != 0 { chdir("/") }
    let code = try supervise(host, options)
    if instance != nil { remove(place.directory) }
    return code
  }

  /// Runs until the service is stopped or refused.
  private func supervise(_ hostOptions: LinuxSupervisorHost.Options, _ options: Supervisor.Options) throws -> Int32 {
    let loop = try EventLoop()
    let host = try LinuxSupervisorHost(hostOptions, loop: loop, log: options.log)
    let supervisor = Supervisor(loop: loop, host: host, options)
    var exitCode: Int32 = 1
    supervisor.onEnd = {
      exitCode = $0
      loop.stop()
    }
    supervisor.start()
    do {
      try loop.run()
    } catch {
      options.log.critical("the loop failed: \(error)")
      supervisor.entrance?.close()
    }
    return exitCode
  }

  private static func absolute(_ path: String) -> String {
    guard !path.isEmpty, !path.hasPrefix("/"), let working = BaseDirectory.resolved(".")?.string else { return path }
    return working + "/" + path
  }

  /// How long a child must have been ready to count as healthy, in seconds; shortened by tests.
  private func healthyThreshold() throws -> Duration? {
    guard let text = ScriptEnvironment.value("DISPATCHER_HEALTHY_SECONDS"), !text.isEmpty else { return nil }
    guard let seconds = Double(text), seconds > 0, seconds <= 86400 else {
      throw Refusal(2, "environment variable DISPATCHER_HEALTHY_SECONDS=\(text) is no number of seconds from 0 to 86400; unset it")
    }
    return Duration(seconds: seconds)
  }

  /// The folder of one of several instances has its process id in its name: no other will ever use it.
  private func remove(_ directory: String) {
    guard let entries = opendir(directory) else { return }
    // By the bytes of the name, whatever they are; `.` and `..` are refused.
    while let entry = readdir(entries) {
      withUnsafeBytes(of: &entry.pointee.d_name) { name in
        _ = name.baseAddress.map { unlinkat(dirfd(entries), $0.assumingMemoryBound(to: CChar.self), 0) }
      }
    }
    closedir(entries)
    rmdir(directory)
  }
}
