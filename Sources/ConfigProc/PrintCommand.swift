import ArgumentParser
import Core
import FoundationEssentials
import Glibc

/// What `librenms-dispatcher config` runs.
struct PrintCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "print", abstract: "Print the resolved configuration, passwords masked.")

  @OptionGroup var options: SourceOptions

  @Flag(help: "One flat JSON object.")
  var json = false

  @Flag(help: "Add where each value comes from.")
  var origin = false

  func validate() throws {
    if json && origin { throw ValidationError("--json and --origin can't be combined; --origin is for people") }
  }

  func run() throws {
    let port = ReportPort(descriptor: 1)
    // For LibreNMS's command; where that is not possible it says itself who has to run it.
    _ = InstanceChecks(base: options.directory).serviceUser.become()
    let report = options.resolution(port) { report in
      if case .waiting(let reason) = report { printError("waiting: \(reason)") }
    }.run()
    switch report {
    case .refused(let exitCode, let message):
      printError("librenms-configd: \(message)")
      throw ExitCode(exitCode)
    case .resolved(_, let entries, let notes):
      for note in notes { printError("\(note.level.rawValue.lowercased()): \(note.text)") }
      if json {
        port.write(try Self.object(entries) + [UInt8(ascii: "\n")])
      } else {
        port.write(Array(ConfigTable.lines(entries, origins: origin).map { $0 + "\n" }.joined().utf8))
      }
    case .waiting: break
    }
  }

  static func object(_ entries: [ConfigEntry]) throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    let values = Dictionary(entries.map { ($0.key, $0.value) }) { _, last in last }
    return Array(try encoder.encode(values))
  }
}
