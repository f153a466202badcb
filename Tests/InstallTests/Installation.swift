import Fixture
import Glibc

/// `make install` of the build under test into a directory of its own.
final class Installation {
  let directory: TemporaryDirectory
  let prefix: String
  /// Where the prefix is on this machine.
  var root: String { directory.path + prefix }

  init(prefix: String = "/usr/local") throws {
    directory = try TemporaryDirectory()
    self.prefix = prefix
    let done = try run("install")
    guard done.ending == .exited(0) else { throw FixtureError("misc/build/install: \(done.output)\(done.errors)") }
  }

  func run(_ script: String) throws -> (ending: ChildProcess.Ending, output: String, errors: String) {
    var environment = ProcessMark().environment(["DESTDIR": directory.path, "PREFIX": prefix, "BUILD": SampleNode.buildDirectory])
    // The installed programs have to find their libraries without help.
    environment["LD_LIBRARY_PATH"] = nil
    return try ChildProcess.run([SampleNode.sourceDirectory + "/misc/build/" + script], environment: environment)
  }

  /// Runs an installed program without anything that could lead it to other libraries or programs.
  func start(_ program: String, _ arguments: String..., environment: [String: String] = [:]) throws -> (
    ending: ChildProcess.Ending, output: String, errors: String
  ) {
    let plain = ["PATH": "/usr/sbin:/usr/bin:/sbin:/bin"].merging(environment) { $1 }
    return try ChildProcess.run([root + "/" + program] + arguments, environment: plain, limit: .seconds(20))
  }

  /// Paths below the prefix.
  func files(_ folder: String = "") throws -> [String] {
    let found = try ChildProcess.run(["find", root + "/" + folder, "-type", "f"]).output
    return found.split(separator: "\n").map { String($0.dropFirst(root.count + 1)) }.sorted()
  }
}
