import ArgumentParser
import Core
import FoundationEssentials
import Glibc

/// `status`: what the service does right now.
struct StatusCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status", abstract: "Show what a running service does: its children, their queues and running jobs.")

  @OptionGroup var node: NodeOptions

  @Flag(help: "One JSON object; durations in seconds.")
  var json = false

  @Flag(help: "Show it again every second, until Ctrl-C.")
  var watch = false

  func run() throws {
    let client = OperatorClient(base: try node.resolveBase())
    guard watch else { return try show(try report(client)) }
    while true {
      // Home, and what is left of the screen afterwards: no flicker.
      var page = "\u{1B}[H"
      do {
        page += StatusTable.render(try report(client)).split(separator: "\n", omittingEmptySubsequences: false).joined(
          separator: "\u{1B}[K\n")
      } catch let refusal as Refusal {
        page += refusal.description + "\u{1B}[K\n"
      }
      try Console.say(page + "\u{1B}[J")
      sleep(1)
    }
  }

  private func report(_ client: OperatorClient) throws -> StatusReport {
    let reply = try client.reply(.status, limit: .seconds(5))
    guard let status = reply.status else { throw Refusal(1, reply.text) }
    return status
  }

  private func show(_ report: StatusReport) throws {
    guard json else { return try Console.say(StatusTable.render(report)) }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    try Console.say(String(decoding: try encoder.encode(report), as: UTF8.self) + "\n")
  }
}

/// `health`: one line and an exit code, for container health checks.
struct HealthCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "health", abstract: "Say in one line whether a running service does its work; exit code 0 or 1.")

  @OptionGroup var node: NodeOptions

  func run() throws {
    let reply = try OperatorClient(base: try node.resolveBase()).reply(.health, limit: .seconds(5))
    try Console.say(reply.text + "\n")
    if !reply.ok { throw ExitCode(1) }
  }
}

/// `reload`: like SIGHUP, but waits for the end and says how it went.
struct ReloadCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reload", abstract: "Let a running service read its configuration anew, and wait for the end; exit code 0 or 1.")

  /// The dump may take 300 s, the children's answers 30 s.
  private static let limit = Duration.seconds(345)

  @OptionGroup var node: NodeOptions

  func run() throws {
    let reply = try OperatorClient(base: try node.resolveBase()).reply(.reload, limit: Self.limit)
    guard reply.ok else { throw Refusal(1, "not reloaded: \(reply.text)") }
    try Console.say(reply.text + "\n")
  }
}

extension OperatorClient {
  fileprivate func reply(_ command: OperatorRequest.Command, limit: Duration) throws -> OperatorReply {
    do throws(Failure) { return try ask(OperatorRequest(command: command), limit: limit) } catch { throw Refusal(1, error.description) }
  }
}
