import ArgumentParser
import Core
import Glibc

/// `config`: what the helper resolves; it works without a running service.
struct ConfigCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "config", abstract: "Print the configuration that this node would use, passwords masked.")

  @OptionGroup var node: NodeOptions

  @Flag(help: "One flat JSON object.")
  var json = false

  @Flag(help: "Add where each value comes from.")
  var origin = false

  func run() throws {
    try ConfigurationHelper.replaceThisProcess(
      "print", node, base: try node.resolveBase(), (json ? ["--json"] : []) + (origin ? ["--origin"] : []))
  }
}

/// `validate`: what a new installation gets wrong.
struct ValidateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "validate", abstract: "Check what a new installation gets wrong: settings, database, scripts, clocks, other pollers.")

  @OptionGroup var node: NodeOptions

  func run() throws {
    try ConfigurationHelper.replaceThisProcess("validate", node, base: try node.resolveBase())
  }
}

/// SQL and PHP are the helper's business.
enum ConfigurationHelper {
  /// The helper takes this process over, and with it exit code, terminal and signals. Throws `Refusal` when it can't.
  static func replaceThisProcess(_ subcommand: String, _ node: NodeOptions, base: String, _ flags: [String] = []) throws {
    let lookup = ExecutableLookup()
    guard let path = lookup.find("librenms-configd") else {
      throw Refusal(1, "librenms-configd is not in \(lookup.description); the installation is incomplete")
    }
    let arguments = [path, subcommand] + node.passedOn(base: base) + flags
    var pointers: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) }
    pointers.append(nil)
    ProcessStart.restoreForExec()
    execv(path, pointers)
    throw Refusal(1, "\(SystemError("start \(path)"))")
  }
}
