import ArgumentParser
import Core
import FoundationEssentials

/// `poll`: devices that an operator waits for, in front of all others.
struct PollCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "poll",
    abstract: "Poll devices now, before everything that waits; in a cluster from any node. Exit code 0 when all are queued or running.")

  @OptionGroup var node: NodeOptions

  @Argument(help: "Device ids.")
  var ids: [Int64]

  func run() throws { try OnDemandCommands.run(.poll, .poller, ids, node) }
}

/// `discover`: the same for discovery.
struct DiscoverCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "discover",
    abstract: "Discover devices now, before everything that waits; in a cluster from any node. Exit code 0 when all are queued or running.")

  @OptionGroup var node: NodeOptions

  @Argument(help: "Device ids.")
  var ids: [Int64]

  func run() throws { try OnDemandCommands.run(.discover, .discovery, ids, node) }
}

/// `locks`: who holds what.
struct LocksCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "locks", abstract: "List the locks with holder and age: in a cluster everybody's, else those of this node.")

  @OptionGroup var node: NodeOptions

  @Flag(help: "One JSON object; durations in seconds.")
  var json = false

  func run() throws {
    let reply = try OnDemandCommands.ask(OperatorRequest(command: .locks), try node.resolveBase())
    guard let list = reply.locks else { throw Refusal(1, reply.text) }
    if json {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
      try Console.say(String(decoding: try encoder.encode(list), as: UTF8.self) + "\n")
    } else if reply.ok || !list.locks.isEmpty {
      try Console.say(list.render())
    }
    // What one child could not tell must not look like "no locks".
    if !reply.ok { throw Refusal(1, reply.text) }
  }
}

/// What the commands above share.
enum OnDemandCommands {
  /// A little more than the service waits for its child.
  private static let limit = ChildQuestions.patience + .seconds(3)

  static func run(_ command: OperatorRequest.Command, _ type: TaskType, _ ids: [Int64], _ node: NodeOptions) throws {
    let base = try node.resolveBase()
    var seen: Set<Int64> = []
    var rest = ids.filter { seen.insert($0).inserted }[...]
    var isWell = true
    while !rest.isEmpty {
      let part = Array(rest.prefix(OperatorRequest.deviceLimit))
      rest = rest.dropFirst(part.count)
      let reply = try ask(OperatorRequest(command: command, devices: part), base)
      guard let jobs = reply.jobs else { throw Refusal(1, "\(type.rawValue) \(list(part + rest)) not queued: \(reply.text)") }
      for job in jobs { try Console.say(OnDemandText.line(job, type) + "\n") }
      isWell = isWell && reply.ok
    }
    if !isWell { throw ExitCode(1) }
  }

  static func ask(_ request: OperatorRequest, _ base: String) throws -> OperatorReply {
    do throws(OperatorClient.Failure) { return try OperatorClient(base: base).ask(request, limit: limit) } catch {
      guard case .notRunning = error else { throw Refusal(1, error.description) }
      throw Refusal(1, "\(error). In a cluster, ask on any node whose dispatcher runs")
    }
  }

  private static func list(_ ids: [Int64]) -> String {
    ids.prefix(10).map(String.init).joined(separator: ", ") + (ids.count > 10 ? " and \(ids.count - 10) more" : "")
  }
}
