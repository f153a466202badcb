import Simulation
import Testing

@testable import Supervisor

@Suite struct ArgumentNormalizerTests {
  @Test(arguments: [
    ("", "run"),
    ("run", "run"),
    ("-g 1", "run --group=1"),
    ("-g 1 2 status", "status --group=1 --group=2"),
    ("-g 1 2", "run --group=1 --group=2"),
    ("-g1", "run --group=1"),
    ("-g1,2", "run --group=1 --group=2"),
    ("-g=3", "run --group=3"),
    ("-g 1,2 3 -v", "run --group=1 --group=2 --group=3 --verbose"),
    ("--group 0 1 run -m", "run --group=0 --group=1 --multiple"),
    ("--group=7", "run --group=7"),
    ("-g 1 -g 2", "run --group=1 --group=2"),
    ("run -g 4 5", "run --group=4 --group=5"),
    ("-v", "run --verbose"),
    ("-vd", "run --debug"),
    ("-v -d", "run --debug"),
    ("-d -v", "run --debug"),
    ("-vv", "run --verbose"),
    ("-v -v", "run --verbose"),
    ("-vmt", "run --verbose --multiple --timestamps"),
    ("-o", "run --log-output=file"),
    ("-o none", "run --log-output=none"),
    ("-o passthrough -v", "run --log-output=passthrough --verbose"),
    ("-ofile", "run --log-output=file"),
    ("-o=logger", "run --log-output=logger"),
    ("-o -v", "run --log-output=file --verbose"),
    ("-o status", "status --log-output=file"),
    ("-vo logger", "run --verbose --log-output=logger"),
    ("-o none -o logger", "run --log-output=logger"),
    ("--log-output", "run --log-output=file"),
    ("--log-output=logger", "run --log-output=logger"),
    ("--log file", "run --log-output=file"),
    ("--log=none", "run --log-output=none"),
    ("--verb", "run --verbose"),
    ("--ver", "run --verbose"),
    ("--v", "run --verbose"),
    ("--vers", "--version"),
    ("--mult", "run --multiple"),
    ("--deb", "run --debug"),
    ("--gr 5", "run --group=5"),
    ("--time", "run --timestamps"),
    ("--base /opt/x", "run --base=/opt/x"),
    ("--base=/opt/x status", "status --base=/opt/x"),
    ("status --json", "status --json"),
    ("--json status", "status --json"),
    ("status --watch --base /x", "status --watch --base=/x"),
    ("config --orig", "config --origin"),
    ("config --json -d", "config --json --debug"),
    ("validate -m", "validate --multiple"),
    ("health", "health"),
    ("reload", "reload"),
    ("retire --base /x", "retire --base=/x"),
    ("-g 1 2 retire", "retire --group=1 --group=2"),
    ("-vv -tm -o run", "run --verbose --timestamps --multiple --log-output=file"),
    ("-o passthrough status", "status --log-output=passthrough"),
    ("-dg 1 2 -o", "run --debug --group=1 --group=2 --log-output=file"),
    ("-g 0 -o file", "run --group=0 --log-output=file"),
    ("--group 1,2 --log-output=none -td", "run --group=1 --group=2 --log-output=none --timestamps --debug"),
    ("--multi --debug --verbose", "run --multiple --debug"),
    ("poll 42", "poll 42"),
    ("poll 42 007 --base /x -v", "poll 42 7 --base=/x --verbose"),
    ("--base=/x discover -- 42", "discover 42 --base=/x"),
    ("poll --help", "poll --help"),
    ("-g 1 poll 42", "poll 42 --group=1"),
    ("--json locks", "locks --json"),
    ("-- status", "status"),
    ("-h", "--help"),
    ("--help", "--help"),
    ("-v --he", "--help"),
    ("status -h", "status --help"),
    ("-h status", "status --help"),
    ("help", "--help"),
    ("help status", "status --help"),
    ("--version", "--version"),
  ])
  func aCommandLineBecomesTheOneSpelling(line: String, expected: String) throws {
    let arguments = line.split(separator: " ").map(String.init)
    #expect(try ArgumentNormalizer.normalize(arguments).joined(separator: " ") == expected)
  }

  @Test(arguments: [
    ("statsu", "'statsu' is not a command of librenms-dispatcher\nDid you mean 'status'?"),
    ("xyzzy", "'xyzzy' is not a command of librenms-dispatcher\nSee 'librenms-dispatcher --help'."),
    ("status extra", "unexpected argument 'extra' after 'status'\nSee 'librenms-dispatcher status --help'."),
    ("pol 42", "'pol' is not a command of librenms-dispatcher\nDid you mean 'poll'?"),
    ("poll", "'poll' needs at least one device id\nFor example: librenms-dispatcher poll 42"),
    ("discover --base /x", "'discover' needs at least one device id\nFor example: librenms-dispatcher discover 42"),
    ("poll 42 router1", "'router1' is no device id: a whole number from 1 on, as in the address of the device's page, device/42"),
    ("poll 0", "'0' is no device id: a whole number from 1 on, as in the address of the device's page, device/42"),
    ("poll 1,2", "'1,2' is no device id: a whole number from 1 on, as in the address of the device's page, device/42"),
    (
      "poll 9223372036854775808",
      "'9223372036854775808' is no device id: a whole number from 1 on, as in the address of the device's page, device/42"
    ),
    ("locks 42", "unexpected argument '42' after 'locks'\nSee 'librenms-dispatcher locks --help'."),
    ("--verbsoe", "unknown option '--verbsoe'\nDid you mean '--verbose'?"),
    ("--nothing-like-it", "unknown option '--nothing-like-it'\nSee 'librenms-dispatcher --help'."),
    ("-x", "unknown option '-x'\nSee 'librenms-dispatcher --help'."),
    ("-debug", "unknown option '-e'\nDid you mean '--debug'?"),
    ("-verbos", "unknown option '-e'\nDid you mean '--verbose'?"),
    ("-g", "option '-g' needs at least one poller group\nFor example: -g 0 1"),
    ("-g status", "option '-g' needs at least one poller group\nFor example: -g 0 1"),
    ("-g all", "'all' is no poller group for option '-g': a group is a whole number from 0 on"),
    ("-g 1x", "'1x' is no poller group for option '-g': a group is a whole number from 0 on"),
    ("-g -1", "'-1' is no poller group for option '-g': a group is a whole number from 0 on"),
    ("-g 1,,2", "'' is no poller group for option '-g': a group is a whole number from 0 on"),
    ("--group=", "'' is no poller group for option '--group': a group is a whole number from 0 on"),
    ("-g 99999999999", "'99999999999' is no poller group for option '-g': a group is a whole number from 0 on"),
    ("-o fiel", "'fiel' is no destination for option '-o': choose one of none, passthrough, logger, file\nDid you mean 'file'?"),
    ("-o syslog", "'syslog' is no destination for option '-o': choose one of none, passthrough, logger, file"),
    ("--log-output=", "'' is no destination for option '--log-output': choose one of none, passthrough, logger, file"),
    ("--base", "option '--base' needs a value"),
    ("--base -v", "option '--base' needs a value"),
    ("--base=", "option '--base' needs a value"),
    ("--debug=yes", "option '--debug' takes no value"),
    ("status --origin", "unknown option '--origin'\nSee 'librenms-dispatcher --help'."),
    ("--json", "option '--json' does not belong to 'run'\nIt is understood by 'status' and 'config' and 'locks'."),
    ("--watch config", "option '--watch' does not belong to 'config'\nIt is understood by 'status'."),
    ("-", "'-' is not a command of librenms-dispatcher\nSee 'librenms-dispatcher --help'."),
  ])
  func aWrongCommandLineSaysWhatIsWrongAndTheWayOut(line: String, message: String) {
    let error = #expect(throws: UsageError.self) { try ArgumentNormalizer.normalize(line.split(separator: " ").map(String.init)) }
    #expect(error?.description == message)
  }

  @Test func anEmptyArgumentIsNoCommand() {
    #expect(throws: UsageError.self) { try ArgumentNormalizer.normalize([""]) }
  }

  @Test(arguments: 1...20 as ClosedRange<UInt64>)
  func anyWordsEndInACommandLineThatIsStable(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    let words = [
      "-g", "1", "2,3", "status", "run", "-o", "file", "none", "-vd", "--log", "--base", "/x", "--json", "-h", "--", "-", "--v", "-g1", "",
      "config", "poll", "42",
    ]
    for _ in 0..<500 {
      let line = (0..<Int.random(in: 0...6, using: &random)).compactMap { _ in words.randomElement(using: &random) }
      guard let once = try? ArgumentNormalizer.normalize(line) else { continue }
      #expect((try? ArgumentNormalizer.normalize(once)) == once, "\(line)")
    }
  }
}
