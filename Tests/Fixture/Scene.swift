import Glibc

/// A server and a node for one test; whatever happens in it, nothing that it started stays.
public final class Scene {
  public let mark = ProcessMark()
  public let server: MariaDBServer
  public let node: SampleNode

  private init(
    _ configuration: [String: JSON], environment: [String: String], sleep: String, generation: Int, overTCP: Bool, bufferPool: String
  ) throws {
    do {
      server = try MariaDBServer(mark: mark, bufferPool: bufferPool)
      node = try SampleNode(
        server: server, mark: mark, configuration: configuration, environment: environment, sleep: sleep, generation: generation,
        overTCP: overTCP)
    } catch {
      mark.killAll()
      throw error
    }
  }

  /// Runs the body, stops the dispatcher if the body did not, and throws if a process other than the server outlives it.
  public static func play(
    _ configuration: [String: JSON] = [:], environment: [String: String] = [:], sleep: String = "1", generation: Int = 26,
    overTCP: Bool = false, bufferPool: String = "48M",
    _ body: (Scene) throws -> Void
  ) throws {
    let scene = try Scene(
      configuration, environment: environment, sleep: sleep, generation: generation, overTCP: overTCP, bufferPool: bufferPool)
    defer {
      scene.mark.killAll()
      scene.keepRecords()
    }
    do {
      try body(scene)
    } catch {
      progress("standard error of the dispatcher:\n\(scene.node.errors.suffix(4000))")
      throw error
    }
    if let dispatcher = scene.node.dispatcher, dispatcher.poll() == nil {
      let ending = scene.node.stop()
      guard ending == .exited(0) else {
        throw FixtureError("the dispatcher's end: \(ending.map { "\($0)" } ?? "none within 30 s")\n\(scene.node.errors)")
      }
    }
    scene.server.stop()
    let left = scene.mark.survivors()
    guard left.isEmpty else { throw FixtureError("left behind:\n" + left.map(\.description).joined(separator: "\n")) }
  }

  /// FIXTURE_KEEP names a directory for journals and logs, to look at after a failure.
  private func keepRecords() {
    guard let keep = getenv("FIXTURE_KEEP").map({ String(cString: $0) }) else { return }
    let place = "\(keep)/\(mark.value)"
    _ = try? ChildProcess.run(["mkdir", "-p", place])
    for file in [node.errorLog, node.base + "/journal.log", server.directory.path + "/server.log"] where fileExists(file) {
      _ = try? ChildProcess.run(["cp", file, place])
    }
  }
}
