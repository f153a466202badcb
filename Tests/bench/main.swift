import Fixture
import Glibc

// `make bench`: what the requirements put a number on, measured now, on this machine, with the release build beside this program.

if let index = CommandLine.arguments.firstIndex(of: "--bare-loop"), CommandLine.arguments.count == index + 4,
  let workers = Int(CommandLine.arguments[index + 2]), let seconds = Int(CommandLine.arguments[index + 3])
{
  print(try BareLoop(base: CommandLine.arguments[index + 1], workers: workers).run(for: .seconds(seconds)))
  exit(0)
}

var table = ResultTable()
do {
  try IdleBench.run(into: &table)
  try QueryBench.run(into: &table)
  try ScheduleBench.run(into: &table)
  try ThroughputBench.run(into: &table)
} catch {
  progress("bench: \(error)")
  exit(1)
}
print(table.rendered)
