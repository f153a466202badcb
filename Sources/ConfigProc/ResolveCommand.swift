import ArgumentParser
import Core
import Glibc

/// What the supervisor runs: frames of `ResolverReport` on standard output.
struct ResolveCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "resolve", abstract: "Write the resolved configuration as frames for the supervisor.")

  @OptionGroup var options: SourceOptions

  func run() throws {
    let port = ReportPort(descriptor: 1)
    let report = options.resolution(port) { Self.send($0, port) }.run()
    Self.send(PHPCacheProbe(options.reader(port)).decide(ClusterProbe.decide(report)), port)
  }

  private static func send(_ report: ResolverReport, _ port: ReportPort) {
    do {
      port.write(try MessageCodec.encode(report))
    } catch {
      // Without secrets: an encoding error names keys, not values.
      printError("librenms-configd: the configuration can't be written as JSON: \(error)")
      Glibc.exit(1)
    }
  }
}
