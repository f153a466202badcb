import ArgumentParser
import CLinuxShims
import Core
import Glibc

/// The one-shot that reads LibreNMS's configuration. It is no daemon: it answers once and ends.
@main
struct ConfigCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "librenms-configd",
    abstract: "Reads LibreNMS's configuration for the dispatcher.",
    subcommands: [ResolveCommand.self, PrintCommand.self, ValidateCommand.self, RetireCommand.self])

  static func main() {
    // It holds the database's password: no core dump, and no other process of the same user may look into its memory.
    _ = shim_set_undumpable()
    do {
      var command = try parseAsRoot(try ProcessStart.begin())
      try command.run()
    } catch let refusal as ProcessStart.Refusal {
      printError("librenms-configd: \(refusal)")
      Glibc.exit(2)
    } catch {
      // The contract's exit code for wrong arguments is 2; asking for help is none of these.
      let code = exitCode(for: error)
      guard code == .validationFailure else { exit(withError: error) }
      printError(fullMessage(for: error))
      Glibc.exit(2)
    }
  }
}

/// What all subcommands take: where LibreNMS is, and the flags of the service that count as configuration.
struct SourceOptions: ParsableArguments {
  @Option(help: "The LibreNMS directory.")
  var base: String

  @Option(name: [.customShort("g"), .long], parsing: .upToNextOption, help: "Poller groups of this node, over every other source.")
  var group: [Int] = []

  @Flag(name: [.customShort("v"), .long], help: "INFO messages until the configuration is read.")
  var verbose = false

  @Flag(name: [.customShort("d"), .long], help: "DEBUG messages, over every other source.")
  var debug = false

  @Option(name: [.customShort("o"), .long], help: "Where the scripts' own output goes: none, passthrough, logger, file.")
  var logOutput = OutputMode.none

  @Flag(name: [.customShort("t"), .long], help: "Timestamps in log lines.")
  var timestamps = false

  @Flag(name: [.customShort("m"), .long], help: "Allow several instances.")
  var multiple = false

  @Option(help: .hidden)
  var dumpLimit = 300.0

  mutating func validate() throws {
    if let wrong = group.first(where: { $0 < 0 }) { throw ValidationError("--group \(wrong): a poller group is a number from 0 up") }
    if dumpLimit <= 0 || dumpLimit > 86400 { throw ValidationError("--dump-limit is a number of seconds") }
  }

  var flags: RunFlags {
    var flags = RunFlags()
    flags.groups = group
    flags.verbose = verbose
    flags.debug = debug
    flags.output = logOutput
    flags.timestamps = timestamps
    flags.multiple = multiple
    return flags
  }

  /// Absolute and without a slash at its end.
  var directory: String {
    var path = base
    if !path.hasPrefix("/") {
      guard let current = getcwd(nil, 0) else { return path }
      defer { free(current) }
      path = path == "." ? String(cString: current) : String(cString: current) + "/" + path
    }
    while path.count > 1, path.hasSuffix("/") { path.removeLast() }
    return path
  }

  func reader(_ port: ReportPort) -> SourceReader {
    SourceReader(base: directory, flags: flags, dumpLimit: Duration(seconds: dumpLimit), port: port)
  }

  func resolution(_ port: ReportPort, _ report: @escaping (ResolverReport) -> Void) -> Resolution {
    Resolution(reader: reader(port), port: port, report: report)
  }
}

extension OutputMode: ExpressibleByArgument {}

/// A line on standard error.
func printError(_ text: String) {
  ReportPort(descriptor: 2).write(Array((VisibleText.of(text, keepingLines: true) + "\n").utf8))
}
