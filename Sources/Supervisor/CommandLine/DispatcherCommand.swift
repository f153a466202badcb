import ArgumentParser
import Core
import Glibc

/// The one executable for people.
struct DispatcherCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "librenms-dispatcher",
    abstract: "Polls, discovers and pings the devices of a LibreNMS installation.",
    discussion: "Takes the place of librenms-service.py and understands its flags; without a subcommand it runs the service.",
    version: ProductVersion.text,
    subcommands: [
      RunCommand.self, StatusCommand.self, PollCommand.self, DiscoverCommand.self, LocksCommand.self, ConfigCommand.self,
      ValidateCommand.self, HealthCommand.self, ReloadCommand.self, RetireCommand.self,
    ],
    defaultSubcommand: RunCommand.self)

  /// Runs the command line and returns the exit code.
  static func execute(_ arguments: [String]) -> Int32 {
    do {
      var command = try parseAsRoot(try ArgumentNormalizer.normalize(arguments))
      try command.run()
      return 0
    } catch let error as UsageError {
      return complain(error.description, code: 2)
    } catch let error as Refusal {
      return complain(error.description, code: error.exitCode)
    } catch let error as ExitCode {
      return error.rawValue
    } catch {
      let code = exitCode(for: error)
      if code.isSuccess {
        if let failure = Console.write(fullMessage(for: error) + "\n") {
          return complain("can't write to standard output: \(failure.reason)", code: 1)
        }
        return 0
      }
      // The contract's exit code for wrong arguments; everything else that was thrown is a failure of the system.
      return complain(message(for: error), code: code == .validationFailure ? 2 : 1)
    }
  }

  private static func complain(_ text: String, code: Int32) -> Int32 {
    // It may quote an argument or a path.
    ProcessStart.complain("librenms-dispatcher: \(text)")
    return code
  }
}
