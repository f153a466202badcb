import CLinuxShims
import Core
import Glibc
import Logging
import Redis

/// A child as a process of its own on Linux: what its `main` does. The logic is in `ChildRuntime`.
public enum ChildProcess {
  /// Runs a child to its end. Never returns. `duty`: what it does beside its jobs.
  public static func run(
    _ type: any SchedulerType, duty: @escaping (ChildDutySurroundings) -> (any ChildDuty)? = { _ in nil }
  ) -> Never {
    let runtimeDirectory: String
    do throws(ProcessStart.Refusal) {
      guard let directory = ChildLaunch.runtimeDirectory(try ProcessStart.begin()) else {
        throw ProcessStart.Refusal(description: "it is started by librenms-dispatcher, not by hand. Try: librenms-dispatcher run")
      }
      runtimeDirectory = directory
    } catch {
      ProcessStart.complain("\(type.type.executable): \(error)")
      exit(2)
    }
    ProcessStart.becomeService()
    _ = shim_set_undumpable()
    DispatcherLog.shared.bootstrap(identifier: type.type.executable)
    let log = Logger(label: type.type.rawValue)
    do {
      let loop = try EventLoop()
      let port = try FrameChildPort(fd: ChildLaunch.channel, loop: loop, log: log)
      let host = LinuxHost(type: type.type, directory: runtimeDirectory, loop: loop, log: log)
      let surroundings = ChildRuntime.Surroundings(
        loop: loop, port: port, host: host, log: log, pid: getpid(), applyToLog: { DispatcherLog.shared.apply($0) },
        makeDatabase: { try DatabaseClient.mariaDB($0, loop: loop, log: log) },
        makeLink: {
          RedisLink(loop: loop, settings: $0, name: type.type.executable, availability: RedisAvailability(log: log))
        },
        makeDuty: duty)
      let child = ChildRuntime(type, surroundings) { ProcessEnd.exit($0) }
      child.hello()
      try loop.run()
    } catch {
      log.critical("\(error)")
    }
    ProcessEnd.exit(1)
  }
}
