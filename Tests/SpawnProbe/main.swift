import CLinuxShims
import Core
import Glibc
import Logging

// spawn-probe TABLE POINT SCRIPT: begins slot 0 of the table and starts the script in it, but the new process stops at the point of the
// hook: it says "at" on descriptor 1 and goes on when it reads a byte from descriptor 0. So a test can kill this process meanwhile.
//
// spawn-probe end WAY: says 1000 lines in its log and ends in that way at once.
let arguments = CommandLine.arguments
if arguments.count == 3, arguments[1] == "end" { end(arguments[2]) }
guard arguments.count == 4, let wanted = Int32(arguments[2]) else { exit(2) }

nonisolated(unsafe) var stopAt: Int32 = wanted
shim_set_spawn_hook { point in
  guard point == stopAt else { return }
  write(1, "at", 2)
  var byte: UInt8 = 0
  // At the end of the file nobody will say go.
  if read(0, &byte, 1) != 1 { _exit(99) }
}

let table = try JobTable.open(path: arguments[1], slots: 1, place: .current(), number: 7)
let record = JobRecord(
  payload: "7", lock: "poller.device.7", owner: "probe", group: 0, score: 5, startedAt: .now, startedWall: WallClock.now,
  deadline: .now + .seconds(60))
guard let word = table.begin(0, record) else { exit(3) }
let program = Program(path: "/bin/sh", arguments: ["-c", arguments[3]], environment: [], input: 0, output: 1, error: 2)
_ = try program.start(in: (table, 0, word))
sleep(60)

func end(_ way: String) -> Never {
  DispatcherLog.shared.bootstrap(identifier: "probe")
  let log = Logger(label: "probe")
  for number in 1...1000 { log.critical("line \(number)") }
  switch way {
  case "exit": ProcessEnd.exit(3)
  case "trap": fatalError("as it was told")
  case "abort": abort()
  case "segv": kill(getpid(), SIGSEGV)
  case "thread":
    // In a thread of ours, as the one that asks the database is.
    let body: @convention(c) (UnsafeMutableRawPointer?) -> Void = { _ in fatalError("as it was told") }
    _ = shim_thread_start(body, nil, 128 * 1024, "fault")
  default: break
  }
  sleep(10)
  _exit(0)
}
