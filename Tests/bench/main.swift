import Fixture
import Glibc

// `make bench`: what the requirements put a number on, measured now, on this machine, with the release build beside this program.

if let index = CommandLine.arguments.firstIndex(of: "--bare-loop"), CommandLine.arguments.count == index + 4,
  let workers = Int(CommandLine.arguments[index + 2]), let seconds = Int(CommandLine.arguments[index + 3])
{
  print(try BareLoop(base: CommandLine.arguments[index + 1], workers: workers).run(for: .seconds(seconds)))
  exit(0)
}

// Names on the command line choose parts; without any all are run.
let parts: [(name: String, run: (inout ResultTable) throws -> Void)] = [
  ("idle", IdleBench.run), ("query", QueryBench.run), ("schedule", ScheduleBench.run), ("throughput", ThroughputBench.run),
  ("scale", ScaleBench.run), ("php", PHPBench.run),
]
let chosen = CommandLine.arguments.dropFirst()
if let unknown = chosen.first(where: { name in !parts.contains { $0.name == name } }) {
  print("unknown part '\(unknown)'; there are \(parts.map(\.name).joined(separator: ", "))")
  exit(2)
}
var table = ResultTable()
do {
  for part in parts where chosen.isEmpty || chosen.contains(part.name) { try part.run(&table) }
} catch {
  progress("bench: \(error)")
  exit(1)
}
print(table.rendered)
