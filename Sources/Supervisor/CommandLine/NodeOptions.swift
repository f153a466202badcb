import ArgumentParser
import Core

/// What every subcommand takes: which installation is meant, and the flags of librenms-service.py.
struct NodeOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The LibreNMS directory. Default: $LIBRENMS_BASE, else the working directory if it holds lnms, else /opt/librenms.", valueName: "dir")
  )
  var base: String?

  @Option(
    name: [.customShort("g"), .long], help: ArgumentHelp("Poller groups of this node, over every other source: -g 0 1", valueName: "n"))
  var group: [Int] = []

  @Flag(name: [.customShort("v"), .long], help: "INFO messages until the configuration is read.")
  var verbose = false

  @Flag(name: [.customShort("d"), .long], help: "DEBUG messages, and debug flags for the scripts; no setting overrides it.")
  var debug = false

  @Option(
    name: [.customShort("o"), .long],
    help: ArgumentHelp("Where the scripts' own output goes: none (default), passthrough, logger, file; bare -o is file.", valueName: "dest")
  )
  var logOutput: OutputMode?

  @Flag(name: [.customShort("m"), .long], help: "Allow several instances.")
  var multiple = false

  @Flag(name: [.customShort("t"), .long], help: "Timestamps in log lines.")
  var timestamps = false

  /// The base directory; exits with 2 and a message when there is none.
  func resolveBase() throws -> String {
    do throws(BaseDirectory.Unusable) { return try BaseDirectory.resolve(flag: base) } catch {
      throw Refusal(2, "\(error). Name the LibreNMS directory with --base or LIBRENMS_BASE")
    }
  }

  /// The same for the configuration helper.
  func passedOn(base: String) -> [String] {
    var arguments = ["--base=\(base)"] + group.map { "--group=\($0)" }
    if debug { arguments.append("--debug") } else if verbose { arguments.append("--verbose") }
    if let logOutput { arguments.append("--log-output=\(logOutput.rawValue)") }
    if multiple { arguments.append("--multiple") }
    if timestamps { arguments.append("--timestamps") }
    return arguments
  }
}

extension OutputMode: ExpressibleByArgument {}

/// Why a command ends: an exit code of the contract and a message.
struct Refusal: Error, CustomStringConvertible {
  var exitCode: Int32
  var description: String

  init(_ exitCode: Int32, _ description: String) {
    self.exitCode = exitCode
    self.description = description
  }
}
