import ArgumentParser
import Core

struct ValidateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "validate", abstract: "Check what a new installation gets wrong.")

  @OptionGroup var options: SourceOptions

  func run() throws {}
}
