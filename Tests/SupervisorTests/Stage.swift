import Fixture
import FoundationEssentials
import Glibc

@testable import Supervisor

/// A real supervisor with stand-ins for everything that it starts. Whatever happens on it, nothing stays.
final class Stage {
  private let directory: TemporaryDirectory
  let mark = ProcessMark()
  var environment: [String: String] = [:]
  private(set) var dispatcher: Fixture.ChildProcess?

  var base: String { directory.path + "/base" }
  var runtime: String { directory.path + "/run" }
  var path: String { directory.path }
  var log: String { readText(directory.path + "/log") ?? "" }
  /// What the stand-ins did and were told, a line each.
  var received: [String] { (readText(directory.path + "/received") ?? "").split(separator: "\n").map(String.init) }

  init(_ behaviours: [String: String] = [:]) throws {
    directory = try TemporaryDirectory()
    for name in ["base", "run", "libexec"] { mkdir(directory.path + "/" + name, 0o700) }
    let standIn = SampleNode.buildDirectory + "/SupervisorStandIn"
    for name in ["configd", "pollerd", "discoveryd", "servicesd", "pingd", "alertingd", "billingd", "maintenanced"] {
      symlink(standIn, "\(directory.path)/libexec/librenms-\(name)")
    }
    for (name, words) in behaviours { try behave(name, words) }
  }

  deinit { mark.killAll() }

  /// Plays a test and looks that no process outlives it.
  static func play(_ behaviours: [String: String] = [:], _ body: (Stage) throws -> Void) throws {
    let stage = try Stage(behaviours)
    do {
      try body(stage)
    } catch {
      progress("log:\n\(stage.log.suffix(4000))received:\n\(stage.received.joined(separator: "\n"))")
      throw error
    }
    if let dispatcher = stage.dispatcher, dispatcher.poll() == nil, try stage.stop() != .exited(0) {
      throw FixtureError("it did not end well:\n\(stage.log)")
    }
    let gone = eventually(within: .seconds(2)) { stage.mark.survivors().isEmpty }
    if !gone { throw FixtureError("left behind:\n\(stage.mark.survivors().map(\.description).joined(separator: "\n"))\n\(stage.log)") }
  }

  func behave(_ name: String, _ words: String) throws { try writeText(words + "\n", to: "\(directory.path)/\(name)") }

  private var fullEnvironment: [String: String] {
    let own = ["RUNTIME_DIRECTORY": runtime, "DISPATCHER_LIBEXEC": directory.path + "/libexec", "STAND_IN": directory.path]
    return mark.environment(own.merging(environment) { $1 })
  }

  /// `errors`: where its log goes; a file unless it is named.
  func start(_ arguments: [String] = ["-v"], errors: Fixture.ChildProcess.Stream? = nil) throws {
    dispatcher = try Fixture.ChildProcess(
      [SampleNode.dispatcherPath, "run", "--base", base] + arguments, environment: fullEnvironment, directory: base,
      errors: errors ?? .file(directory.path + "/log"))
  }

  /// A command whose standard output takes nothing.
  func commandIntoFullDevice(_ words: [String]) throws -> (ending: Fixture.ChildProcess.Ending?, errors: String) {
    let errors = directory.path + "/errors"
    unlink(errors)
    let full = open("/dev/full", O_WRONLY | O_CLOEXEC)
    defer { close(full) }
    let process = try Fixture.ChildProcess(
      [SampleNode.dispatcherPath] + words + (words.first?.hasPrefix("-") ?? false ? [] : ["--base", base]), environment: fullEnvironment,
      directory: base, output: .descriptor(full), errors: .file(errors))
    return (process.wait(.seconds(20)), readText(errors) ?? "")
  }

  func command(_ words: String...) throws -> (ending: Fixture.ChildProcess.Ending, output: String, errors: String) {
    try Fixture.ChildProcess.run(
      [SampleNode.dispatcherPath] + words + ["--base", base], environment: fullEnvironment, directory: base, limit: .seconds(30))
  }

  /// What the real helper's `validate` says about instances.
  func instanceCheck() throws -> String {
    let answer = try Fixture.ChildProcess.run(
      [SampleNode.buildDirectory + "/librenms-configd", "validate", "--base", base, "--cron-file", "/nonexistent"],
      environment: fullEnvironment, directory: base, limit: .seconds(30))
    return answer.output.split(separator: "\n").filter { $0.contains("instance: ") }.joined(separator: "\n")
  }

  func status() throws -> StatusReport {
    let answer = try command("status", "--json")
    guard answer.ending == .exited(0) else { throw FixtureError("status: \(answer)") }
    return try JSONDecoder().decode(StatusReport.self, from: Data(answer.output.utf8))
  }

  func child(_ type: String) throws -> StatusReport.Child {
    guard let child = try status().types.first(where: { $0.type == type }) else { throw FixtureError("no type \(type)") }
    return child
  }

  /// Waits until it holds; throws with `what` when it does not.
  func see(_ what: String, within limit: Duration = .seconds(10), _ condition: () throws -> Bool) throws {
    let held = eventually(within: limit) { (try? condition()) ?? false }
    if !held { throw FixtureError("not seen within \(limit): \(what)") }
  }

  /// A signal to the living child of a type. Never to "no process": pid 0 would be the group of the tests.
  func signal(_ type: String, _ number: Int32) throws {
    let child = try child(type)
    guard let pid = child.pid, pid > 1 else { throw FixtureError("no process to signal: \(child)") }
    Glibc.kill(pid, number)
  }

  func awaitReady() throws {
    try see("ready") { try status().phase == "working" && log.contains("ready: ") }
  }

  @discardableResult
  func stop(within limit: Duration = .seconds(10)) throws -> Fixture.ChildProcess.Ending? {
    dispatcher?.send(SIGTERM)
    return dispatcher?.wait(limit)
  }

  /// SIGKILL, and nothing else.
  func kill() {
    dispatcher?.send(SIGKILL)
    _ = dispatcher?.wait(.seconds(5))
  }

  /// The last pid that a stand-in noted after this word.
  func pid(after word: String) -> pid_t? {
    received.last { $0.hasPrefix(word + " ") }.flatMap { pid_t($0.dropFirst(word.count + 1)) }
  }

  /// The script that a stand-in started.
  func script() throws -> pid_t {
    guard let pid = pid(after: "script"), pid > 1 else { throw FixtureError("no script was started") }
    return pid
  }
}
