import ArgumentParser
import Core

/// What `librenms-dispatcher validate` runs.
struct ValidateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "validate", abstract: "Check what a new installation gets wrong.",
    discussion: "One line per check: ok, warn or FAIL, what was found, and the way out. Exits 1 if anything failed.")

  @OptionGroup var options: SourceOptions

  @Option(help: .hidden)
  var cronFile = CronTable.file

  func run() throws {
    let port = ReportPort(descriptor: 1)
    var failed = false
    var validation = Validation(reader: options.reader(port), cronFile: cronFile)
    validation.run { check in
      failed = failed || check.outcome == .fail
      port.write(Array((check.line + "\n").utf8))
    }
    if failed { throw ExitCode(1) }
  }
}
